"""Finds checkouts that nobody works on, after a crash or an unclear answer, and goes on with them."""

import asyncio
import logging

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.metrics import CheckoutMetrics
from lakeproof_shop.services.checkout.saga import Saga
from lakeproof_shop.services.checkout.store import CheckoutStore
from lakeproof_shop.serving.database.errors import DatabaseTrouble
from lakeproof_shop.serving.traces import traced

logger = logging.getLogger(__name__)

AT_ONCE = 20
LOOK_SECONDS = 5.0


class Sweeper:
    """A loop beside the requests. Several instances may run: a checkout is held by one at a time."""

    def __init__(
        self, store: CheckoutStore, saga: Saga, metrics: CheckoutMetrics, *, pause_seconds: float, work_seconds: float
    ) -> None:
        self._store, self._saga, self._metrics = store, saga, metrics
        self._pause_seconds, self._work_seconds = pause_seconds, work_seconds

    async def run(self) -> None:
        """Sweep every `pause_seconds`, until cancelled."""
        while True:
            try:
                await self.sweep()
            except DatabaseTrouble as error:
                logger.warning("no sweep: the database", extra={"reason": str(error)})
            await asyncio.sleep(self._pause_seconds)

    async def sweep(self) -> int:
        """One round; gives how many checkouts it went on with. Raises: DatabaseTrouble."""
        keys = await self._store.left_alone(AT_ONCE, Deadline(LOOK_SECONDS))
        worked = await asyncio.gather(*(self._go_on(key) for key in keys), return_exceptions=True)
        for key, outcome in zip(keys, worked, strict=True):
            if isinstance(outcome, DatabaseTrouble):
                logger.warning("checkout left for later", extra={"checkout": key, "reason": str(outcome)})
            elif isinstance(outcome, Exception):
                # An error that nobody foresaw in one checkout must not end the sweeping of the others.
                logger.error("checkout left for later", exc_info=outcome, extra={"checkout": key})
            elif outcome is not None:
                raise outcome
        self._metrics.show_open(await self._store.open_by_step(Deadline(LOOK_SECONDS)))
        return len(keys)

    async def _go_on(self, key: str) -> None:
        held = await self._store.hold(key, Deadline(LOOK_SECONDS))
        if held is None:
            return
        checkout, owner = held
        with traced(checkout.trace_id):
            await self._saga.run(checkout, owner, Deadline(self._work_seconds))
