"""Ends what has expired, exactly once, and looks whether all is well: totals, TTLs, reservations that hold stock.

A held line expires by its own time, or because its reservation has vanished from inventory.reservations, whose TTL
somebody may have altered. Either way it goes back to stock by the same conditional batch as every change; of several
instances one is first, and only that one counts it. Nothing depends on the memory of a process: after a crash the
next sweep finds all that is due.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched, islice
from uuid import UUID

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.audit import SkuTotals, violations
from lakeproof_shop.services.inventory.clock import Clock, utc_now
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.inventory.models import Change, Line, Op, State
from lakeproof_shop.services.inventory.stock import milliseconds, read_lines
from lakeproof_shop.services.inventory.store import InventoryStore
from lakeproof_shop.serving.database.cassandra import Ring
from lakeproof_shop.serving.database.errors import DatabaseTrouble

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 2.0
CALL_SECONDS = 5.0
AT_ONCE = 100  # ids in one read
EXPIRED_AT_ONCE = 500  # lines of one SKU in one sweep: customers' changes wait in the same queue
SKUS_AT_ONCE = 8
# Clocks differ and writes are delayed: a line may be written up to this long after lines that are due later.
LATE_MILLISECONDS = 60_000
# How often all due rows from `floor` on are read again, for lines that the shorter reads in between do not find.
WHOLE_SECONDS = 30.0
CHECK_SECONDS = 60.0
_LAST = 1 << 62


@dataclass(frozen=True, slots=True)
class Ttl:
    """How long reservations live, in seconds.

    setting: reservation_ttl_seconds.
    floor: the shortest time that is not a problem.
    table: default_time_to_live of inventory.reservations; 0 means without end, None not known yet.
    """

    setting: float
    floor: float
    table: int | None = None

    @property
    def problem(self) -> str:
        """Which of the two is below the floor, in words; "" where neither is."""
        if self.setting < self.floor:
            return f"the setting reservation_ttl_seconds is {self.setting:g}, below the floor of {self.floor:g}"
        if self.table and self.table < self.floor:
            return (
                f"default_time_to_live of inventory.reservations is {self.table}, below the floor of {self.floor:g}:"
                " reservations end early, and confirmations are decided by the stock"
            )
        return ""


class Sweeper:
    """Expires reservations: `run` until cancelled.

    ttl: the TTLs as last read.
    totals: those of all SKUs, as of the last sweep.
    problem: why the last sweep failed, or "".
    """

    def __init__(
        self, ring: Ring, store: InventoryStore, metrics: InventoryMetrics, ttl: Ttl, clock: Clock = utc_now
    ) -> None:
        self._ring, self._store, self._metrics, self._clock = ring, store, metrics, clock
        self.ttl = ttl
        self.totals: list[SkuTotals] = []
        self.problem = ""
        self._known: dict[str, _Known] = {}
        self._shortest: int | None = None
        self._short_until = 0.0
        self._metrics.ttl.labels("setting").set(ttl.setting)

    async def run(self) -> None:
        """Sweep every SWEEP_SECONDS. A failed sweep is told in `problem`; the next one finds the same lines."""
        while True:
            started = time.monotonic()
            try:
                await self.sweep()
                self.problem = ""
            except DatabaseTrouble as error:
                self.problem = f"no sweep: {error}"
            await asyncio.sleep(max(0.1, SWEEP_SECONDS - (time.monotonic() - started)))

    async def sweep(self) -> int:
        """Check the TTLs and all totals, and expire what is due. Gives how many expired. Raises: DatabaseTrouble."""
        await self.look_at_ttl()
        rows = await self._ring.read(statements.ALL_TOTALS, (), Deadline(CALL_SECONDS))
        self.totals = [SkuTotals(row[0], *(value or 0 for value in row[1:8])) for row in rows]
        for sku, *_, swept in rows:
            self._known.setdefault(sku, _Known(floor=swept or 0, noted=swept or 0))
        wrong = violations(self.totals)
        if wrong:
            logger.error("stock does not add up", extra={"skus": [one.sku for one in wrong][:20]})
        self._metrics.violations.set(len(wrong))
        self._metrics.active.set(sum(one.active for one in self.totals))
        limit, failed = asyncio.Semaphore(SKUS_AT_ONCE), False

        async def one(sku: str) -> int:
            nonlocal failed
            async with limit:
                if failed:  # the database is in trouble, and each further SKU may wait for it until its time is over
                    return 0
                try:
                    return await self._expire(sku)
                except BaseException:
                    failed = True
                    raise

        # Where one fails those under way end first, because the next sweep works on the same `_known`.
        works = (one(each.sku) for each in self.totals if each.active)
        ended = await asyncio.gather(*works, return_exceptions=True)
        self._forget([each.sku for each in self.totals if not each.active])
        expired = 0
        for found in ended:
            if isinstance(found, BaseException):
                raise found
            expired += found
        return expired

    async def look_at_ttl(self) -> str:
        """Read the table's TTL now. Gives what is wrong with the TTLs, or "". Raises: DatabaseTrouble."""
        rows = await self._ring.read(statements.TABLE_TTL, (), Deadline(CALL_SECONDS))
        before = self.ttl.problem
        self.ttl = Ttl(self.ttl.setting, self.ttl.floor, int(rows[0][0]) if rows else None)
        if self.ttl.table is not None:
            self._metrics.ttl.labels("table").set(self.ttl.table)
        self._metrics.ttl_below_floor.set(1 if self.ttl.problem else 0)
        self._store.ttl_is_trusted = not self.ttl.problem
        self._note_short_ttl()
        if self.ttl.problem != before:
            logger.warning("reservations' TTL", extra={"problem": self.ttl.problem or "as it should be again"})
        return self.ttl.problem

    def _note_short_ttl(self) -> None:
        """Remember the shortest TTL that was seen, for as long as a reservation written under it may be held."""
        table, now = self.ttl.table, time.monotonic()
        if table and table < self.ttl.setting:
            self._shortest = min(table, self._shortest or table)
            self._short_until = now + self.ttl.setting
        elif now > self._short_until:
            self._shortest = None

    async def _expire(self, sku: str) -> int:
        """Expire the lines of one SKU that are due or whose reservation has vanished. Gives how many expired."""
        known = self._known[sku]
        await self._discover(sku, known)
        now = self._clock()
        gone = await self._vanished(self._may_have_vanished(known, now))
        all_over = ((id_, line) for id_, line in known.held.items() if id_ in gone or _is_past(line, now))
        over = dict(islice(all_over, EXPIRED_AT_ONCE))
        changes = [
            Change(Op.EXPIRE, id_, line.quantity, line.digest, line.created_at, line.expires_at)
            for id_, line in over.items()
        ]
        ended = await asyncio.gather(*(self._store.submit(sku, each, Deadline(CALL_SECONDS)) for each in changes))
        known.end(id_ for id_, one in zip(over, ended, strict=True) if one.line is not None)
        known.undo(id_ for id_, one in zip(over, ended, strict=True) if one.line is None)
        first = min((milliseconds(line.expires_at) for line in known.held.values() if line.expires_at), default=None)
        settled = milliseconds(now) - LATE_MILLISECONDS
        known.floor = max(known.floor, min(settled, first - 1) if first is not None else settled)
        if known.floor - known.noted >= LATE_MILLISECONDS:
            await self._ring.write(statements.MARK_SWEPT, (known.floor, sku), Deadline(CALL_SECONDS))
            known.noted = known.floor
        return sum(not (one.refused or one.replayed) for one in ended)

    def _forget(self, skus: Iterable[str]) -> None:
        """Forget the lines of SKUs in which nothing is held."""
        for sku in skus:
            self._store.ended.pop(sku, None)
            self._known[sku].held.clear()
            self._known[sku].ended.clear()

    async def _discover(self, sku: str, known: "_Known") -> None:
        """Learn of lines that were held since the last look, and forget those that ended."""
        known.end(self._store.ended.pop(sku, ()))
        whole = time.monotonic() - known.whole_at >= WHOLE_SECONDS
        start = known.floor if whole else max(known.floor, known.read_to - LATE_MILLISECONDS)
        rows = await self._ring.read(statements.DUE, (sku, start, _LAST), Deadline(CALL_SECONDS))
        unknown = list(dict.fromkeys(id_ for _, id_ in rows if id_ not in known.held and id_ not in known.ended))
        for ids in batched(unknown, AT_ONCE):
            for id_, line in (await read_lines(self._ring, sku, ids, Deadline(CALL_SECONDS))).items():
                if line is not None and line.state is State.HELD:
                    known.held[id_] = line
                elif line is not None:  # an undone line (None) may be held again by a retry, an ended line never
                    known.ended.add(id_)
        if whole:
            known.whole_at = time.monotonic()
            known.ended &= {id_ for _, id_ in rows}
        known.read_to = max([known.read_to, *(n for n, _ in rows)])

    def _may_have_vanished(self, known: "_Known", now: datetime) -> dict[UUID, Line]:
        """Held lines whose reservation may have vanished before its time: lines older than the shortest TTL that was
        seen, and every CHECK_SECONDS all lines, in case a TTL was short for a moment or while no sweeper ran.
        """
        if time.monotonic() - known.checked_at >= CHECK_SECONDS:
            known.checked_at = time.monotonic()
            return dict(known.held)
        if self._shortest is None:
            return {}
        youngest = now - timedelta(seconds=self._shortest)
        return {id_: line for id_, line in known.held.items() if line.created_at <= youngest}

    async def _vanished(self, held: Mapping[UUID, Line]) -> set[UUID]:
        """Held lines whose reservation has vanished by its TTL: a reservation is always written before its lines."""
        there: set[UUID] = set()
        for ids in batched(list(held), AT_ONCE):
            rows = await self._ring.read(statements.WHICH_RESERVATIONS, (list(ids),), Deadline(CALL_SECONDS))
            there |= {row[0] for row in rows}
        return set(held) - there


@dataclass
class _Known:
    """What the sweeper knows of one SKU. Due times are in milliseconds since 1970, the others of `time.monotonic`.

    floor: no line that was due before this time is held.
    noted: the floor that is written in the SKU's partition (`swept`).
    read_to: the latest due time that was read.
    whole_at: when all due rows from the floor on were last read.
    checked_at: when the reservations of all held lines were last looked for.
    held, ended: the lines known to be held, and those known to have ended.
    """

    floor: int = 0
    noted: int = 0
    read_to: int = 0
    whole_at: float = float("-inf")
    checked_at: float = field(default_factory=time.monotonic)
    held: dict[UUID, Line] = field(default_factory=dict)
    ended: set[UUID] = field(default_factory=set)

    def end(self, ids: Iterable[UUID]) -> None:
        """These lines are not held any more."""
        for id_ in ids:
            self.held.pop(id_, None)
            self.ended.add(id_)

    def undo(self, ids: Iterable[UUID]) -> None:
        """These lines do not exist any more. Where a retry holds one again, it is found like a new line."""
        for id_ in ids:
            self.held.pop(id_, None)


def _is_past(line: Line, now: datetime) -> bool:
    return line.expires_at is not None and line.expires_at <= now
