"""Sends the notifications that no caller waits for: due ones are leased, and a few are sent at once.

Each channel has a worker, slots and leases of its own, so a provider that hangs does not delay another channel.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Coroutine
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof_shop.services.notification.leases import Leases, Look
from lakeproof_shop.services.notification.models import Channel
from lakeproof_shop.services.notification.sender import END_SECONDS, DeliveryFailed, Sender
from lakeproof_shop.serving.database.errors import DatabaseTrouble, SaidNo
from lakeproof_shop.serving.operation import RuleRefused
from lakeproof_shop.serving.traces import trace_id
from lakeproof_shop.serving.wakeable import Wakeable

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0


class Worker(Wakeable):
    """Sends one channel's due notifications: of batches, of events, retries, and those that a dead sender left."""

    def __init__(
        self, channel: Channel, leases: Leases, sender: Sender, *, look_seconds: float, at_once: int, batch: int
    ) -> None:
        super().__init__()
        self._channel, self._leases, self._sender = channel, leases, sender
        self._look_seconds, self._batch = look_seconds, batch
        self._slots = asyncio.Semaphore(at_once)

    async def run(self) -> None:
        """Look for due notifications and send them until stopped. Trouble is logged, and the next look retries."""
        swept, is_waiting = time.monotonic(), False
        while not self.stopping:
            taken = 0
            try:
                taken = await self._send_due()
                is_waiting = False
                if time.monotonic() - swept > SWEEP_SECONDS and await self._leases.sweep(Deadline(END_SECONDS)):
                    swept = time.monotonic()
            except (DatabaseTrouble, SaidNo) as error:
                if not is_waiting:  # logged once
                    logger.warning("a worker waits", extra={"channel": self._channel.value, "reason": str(error)})
                is_waiting = True
            if taken < self._batch and not self.stopping:
                await self.pause(self._look_seconds)

    async def _send_due(self) -> int:
        token = uuid.uuid4()
        lease = Deadline(self._leases.lease_seconds)
        due = await self._leases.take_due(self._channel, token, self._batch, Deadline(END_SECONDS))
        await asyncio.gather(*(self._send(look, token, lease) for look in due))
        return len(due)

    async def _send(self, look: Look, token: uuid.UUID, lease: Deadline) -> None:
        """Send one notification. A failure does not touch the others; a lease that stays ends by itself."""
        async with self._slots:
            trace_id.set(look.trace_id)  # only for this notification: each is sent in a task of its own
            if self.stopping or lease.left < lease.seconds / 2:
                return  # too late to begin: it is taken again when the lease is over
            try:
                await self._sender.send_taken(look, token, Deadline(END_SECONDS))
            except (DeliveryFailed, RuleRefused):
                return  # the sender has written it down, or somebody else has the notification
            except (DatabaseTrouble, SaidNo) as error:
                logger.warning(
                    "its lease stays", extra={"notification_id": str(look.notification.id), "reason": str(error)}
                )


class Workers:
    """One worker for each channel."""

    def __init__(self, leases: Leases, sender: Sender, *, look_seconds: float, at_once: int, batch: int) -> None:
        self._of = {
            channel: Worker(channel, leases, sender, look_seconds=look_seconds, at_once=at_once, batch=batch)
            for channel in Channel
        }

    def works(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Name → the coroutine that is to run."""
        return {f"{channel.value} worker": worker.run() for channel, worker in self._of.items()}

    def wake(self) -> None:
        """Look for due notifications at once."""
        for worker in self._of.values():
            worker.wake()

    def stop(self) -> None:
        """Take nothing more, and end after the deliveries under way."""
        for worker in self._of.values():
            worker.stop()
