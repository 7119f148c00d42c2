"""Brings labels from a request to the carrier: pending/ → ready/ → shipped.

Every step may be done twice, by two workers, and be cut off anywhere: repeated in the object store, it gives the same
objects again, and it counts only once the database has recorded it under the worker's lease.

    requested      write the label under pending/                     → label_pending
    label_pending  hold over? copy to ready/, read it back            → label_ready
    label_ready    read it back, delete the one under pending/        → shipped, with the event status.shipped
    cancelled      delete both

A held label does not stay under ready/: a hold that comes during the copy is found when the row is taken next, and
the copy is deleted. A label that is under ready/ and not under pending/ was moved by hand: accepted if it is right.
"""

import asyncio
import logging
from datetime import datetime, timedelta
from enum import StrEnum

from lakeproof_shop.services.fulfillment.label_store import LabelLook, LabelStore, StoreDown, StoreRefused
from lakeproof_shop.services.fulfillment.leases import Lease, Leases
from lakeproof_shop.services.fulfillment.metrics import FulfillmentMetrics
from lakeproof_shop.services.fulfillment.models import State
from lakeproof_shop.serving.crash import crash
from lakeproof_shop.serving.database.errors import DatabaseTrouble, SaidNo
from lakeproof_shop.serving.traces import traced
from lakeproof_shop.serving.wakeable import Wakeable

logger = logging.getLogger(__name__)

BATCH = 8
REFUSED_PAUSE_SECONDS = 30.0  # the longest pause before a label that the store refused is tried again
DOWN_PAUSE_SECONDS = 3.0  # the longest pause before a store or database that does not answer is tried again


class Step(StrEnum):
    """The points right after which a test can have the worker killed."""

    CLAIMED = "claimed"
    LABEL_WRITTEN = "label_written"
    PENDING_RECORDED = "pending_recorded"
    LABEL_COPIED = "label_copied"
    READY_RECORDED = "ready_recorded"
    PENDING_DELETED = "pending_deleted"
    SHIPPED_RECORDED = "shipped_recorded"
    LABELS_CLEARED = "labels_cleared"


class _Overtaken(Exception):
    """The row is no longer as it was taken: a caller changed it, or the lease ran out."""


class LabelWorker(Wakeable):
    """Does the labels' steps: `run` until `stop`. `look_seconds`: the pause between looks for work, unless woken."""

    def __init__(
        self,
        leases: Leases,
        labels: LabelStore,
        metrics: FulfillmentMetrics,
        *,
        look_seconds: float,
        crash_after: Step | None = None,
    ) -> None:
        super().__init__()
        self._leases, self._labels, self._metrics = leases, labels, metrics
        self._look_seconds, self._crash_after = look_seconds, crash_after
        self._down_in_a_row = 0
        self._logged = ""  # the trouble that was logged last, unless it is over: each is logged once

    async def run(self) -> None:
        """Work until stopped. Trouble is counted, logged and retried."""
        while not self.stopping:
            taken = await self._round()
            if self._down_in_a_row:
                await self.pause(min(DOWN_PAUSE_SECONDS, 0.25 * 2 ** min(self._down_in_a_row, 6)))
            elif not taken:
                await self.pause(self._look_seconds)

    async def _round(self) -> int:
        """Take due rows and do their steps. Gives the number of rows taken."""
        try:
            taken = await self._leases.take(BATCH)
        except (DatabaseTrouble, SaidNo) as error:
            self._down("database", f"the database: {error}")
            return 0
        if not taken:
            self._down_in_a_row, self._logged = 0, ""
            return 0
        self._crash(Step.CLAIMED)
        downs = await asyncio.gather(*(self._do(lease) for lease in taken))
        troubles = [down for down in downs if down]
        if troubles:
            self._down(*troubles[0])
        else:
            self._down_in_a_row, self._logged = 0, ""
        return len(taken)

    def _down(self, kind: str, problem: str) -> None:
        self._metrics.worker_troubles.labels(kind).inc()
        self._down_in_a_row += 1
        if problem != self._logged:
            logger.warning("labels wait", extra={"kind": kind, "reason": problem})
        self._logged = problem

    async def _do(self, lease: Lease) -> tuple[str, str] | None:
        """Do all the steps that one row can take now, in the trace of its request.

        Gives (kind, problem) where the store or the database is down, else None.
        """
        with traced(lease.trace_id):
            return await self._do_traced(lease)

    async def _do_traced(self, lease: Lease) -> tuple[str, str] | None:
        try:
            try:
                await self._steps(lease)
            except _Overtaken:
                self._metrics.worker_troubles.labels("overtaken").inc()
                await self._leases.release(lease)
                await self._leases.look_again([lease.id])  # our last change in the store may have come too late
            except StoreDown as error:
                await self._leases.release(lease, problem=str(error))
                return "store_down", f"the object store: {error}"
            except StoreRefused as error:
                self._metrics.worker_troubles.labels("store_refused").inc()
                pause = timedelta(seconds=min(REFUSED_PAUSE_SECONDS, 2.0 ** min(lease.attempts, 10)))
                logger.warning("a label waits", extra={"fulfillment": lease.id, "reason": str(error)})
                await self._leases.release(lease, lease.now + pause, str(error))
        except (DatabaseTrouble, SaidNo) as error:  # the lease ends by itself
            return "database", f"the database: {error}"
        return None

    async def _steps(self, lease: Lease) -> None:
        while lease.state in (State.REQUESTED, State.LABEL_PENDING, State.LABEL_READY):
            after = await self._next(lease)
            if after is None:
                return
            lease = after
        if lease.state is State.CANCELLED:
            await self._clear(lease)
        elif lease.state in (State.SHIPPED, State.RETURNED) and lease.has_work:
            await self._tidy(lease)

    async def _next(self, lease: Lease) -> Lease | None:
        """Do one step. None: the label is held, and the row was given back until the hold's end."""
        if lease.state is State.REQUESTED:
            return await self._write(lease)
        if lease.state is State.LABEL_PENDING:
            return await self._move(lease)
        return await self._ship(lease)

    async def _write(self, lease: Lease) -> Lease:
        await self._labels.put_pending(lease.label, lease.hold_until, lease.hold_version)
        self._crash(Step.LABEL_WRITTEN)
        after = await self._advance(lease, State.LABEL_PENDING)
        self._crash(Step.PENDING_RECORDED)
        return after

    async def _move(self, lease: Lease) -> Lease | None:
        look = await self._labels.look_pending(lease.label)
        if look is None and not lease.is_held and await self._labels.is_ready(lease.label):
            return await self._advance(lease, State.LABEL_READY)
        if look is None or not _is_of(lease, look):
            await self._labels.put_pending(lease.label, lease.hold_until, lease.hold_version)
            look = None
        held_until = lease.hold_until
        if look is not None and look.hold_until is not None and look.hold_until > (held_until or lease.now):
            held_until = look.hold_until
        if held_until is not None and held_until > lease.now:
            await self._hold(lease, held_until)
            return None
        await self._labels.copy_to_ready(lease.label)
        self._crash(Step.LABEL_COPIED)
        if not await self._labels.is_ready(lease.label):
            raise StoreRefused("the copy under ready/ is not the label that was written")
        after = await self._advance(lease, State.LABEL_READY)
        self._crash(Step.READY_RECORDED)
        return after

    async def _hold(self, lease: Lease, until: datetime) -> None:
        await self._labels.delete_ready(lease.label)  # a copy that a hold overtook
        kept = await (
            self._leases.release(lease, until)
            if until == lease.hold_until
            else self._leases.hold_as_found(lease, until)
        )
        if not kept:
            raise _Overtaken

    async def _ship(self, lease: Lease) -> Lease:
        await self._make_ready(lease)
        self._crash(Step.PENDING_DELETED)
        after = await self._advance(lease, State.SHIPPED)
        self._crash(Step.SHIPPED_RECORDED)
        return after

    async def _tidy(self, lease: Lease) -> None:
        """Mend the objects of a shipped or returned parcel, where a late worker left a label under pending/."""
        await self._make_ready(lease)
        if not await self._leases.cleared(lease):
            raise _Overtaken

    async def _make_ready(self, lease: Lease) -> None:
        """Make sure that the label is under ready/, whole, and that no label is under pending/."""
        if not await self._labels.is_ready(lease.label):
            await self._labels.put_ready(lease.label)
            if not await self._labels.is_ready(lease.label):
                raise StoreRefused("what is under ready/ is not the label that was written")
        await self._labels.delete_pending(lease.label)

    async def _clear(self, lease: Lease) -> None:
        await self._labels.delete_ready(lease.label)
        await self._labels.delete_pending(lease.label)
        self._crash(Step.LABELS_CLEARED)
        if not await self._leases.cleared(lease):
            raise _Overtaken

    async def _advance(self, lease: Lease, state: State) -> Lease:
        after = await self._leases.advance(lease, state)
        if after is None:
            raise _Overtaken
        logger.info("a label went on", extra={"fulfillment": lease.id, "status": state.value})
        return after

    def _crash(self, step: Step) -> None:
        if step is self._crash_after:
            crash(f"after {step.value}")


def _is_of(lease: Lease, look: LabelLook) -> bool:
    """True where the object is this label, with the hold that the database last decided."""
    if look.size != len(lease.label.body):
        return False
    if look.hold_version is None:  # somebody rewrote it by hand, with a hold of their own
        return True
    return look.sha256 == lease.label.sha256 and look.hold_version >= lease.hold_version
