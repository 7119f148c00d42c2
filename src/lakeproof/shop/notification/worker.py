"""Sends what nobody waits for: what is due is taken under a lease, a few are sent at once."""

import asyncio
import logging
import time
import uuid

from lakeproof.deadline import Deadline
from lakeproof.shop.database.errors import DatabaseTrouble, SaidNo
from lakeproof.shop.notification.leases import Leases, Look
from lakeproof.shop.notification.models import NotificationRefused
from lakeproof.shop.notification.sender import END_SECONDS, DeliveryFailed, Sender
from lakeproof.shop.traces import trace_id
from lakeproof.shop.wakeable import Wakeable

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0


class Worker(Wakeable):
    """Sends what is due: batches, what events called for, failed tries, and what a dead sender left behind."""

    def __init__(self, leases: Leases, sender: Sender, *, look_seconds: float, at_once: int, batch: int) -> None:
        super().__init__()
        self._leases, self._sender = leases, sender
        self._look_seconds, self._batch = look_seconds, batch
        self._slots = asyncio.Semaphore(at_once)
        self.problem = ""

    async def run(self) -> None:
        """Look and send until stopped; trouble is told in `problem`, and tried again."""
        swept = time.monotonic()
        while not self.stopping:
            taken = 0
            try:
                taken = await self._send_due()
                self.problem = ""
                if time.monotonic() - swept > SWEEP_SECONDS:
                    await self._leases.sweep(Deadline(END_SECONDS))
                    swept = time.monotonic()
            except (DatabaseTrouble, SaidNo) as error:
                if not self.problem:
                    logger.warning("the worker waits", extra={"reason": str(error)})
                self.problem = str(error) or type(error).__name__
            if taken < self._batch and not self.stopping:
                await self.pause(self._look_seconds)

    async def _send_due(self) -> int:
        token = uuid.uuid4()
        lease = Deadline(self._leases.lease_seconds)
        due = await self._leases.take_due(token, self._batch, Deadline(END_SECONDS))
        await asyncio.gather(*(self._send(look, token, lease) for look in due))
        return len(due)

    async def _send(self, look: Look, token: uuid.UUID, lease: Deadline) -> None:
        """One; what goes wrong with it is its own, and the lease that stays ends by itself."""
        async with self._slots:
            trace_id.set(look.trace_id)  # each runs in a task of its own
            if self.stopping or lease.left < lease.seconds / 2:
                return  # whoever finds the lease over takes it
            try:
                await self._sender.send_taken(look, token, Deadline(END_SECONDS))
            except (DeliveryFailed, NotificationRefused):
                return  # written down by the sender, or somebody else's by now
            except (DatabaseTrouble, SaidNo) as error:
                logger.warning(
                    "its lease stays", extra={"notification_id": str(look.notification.id), "reason": str(error)}
                )
