"""Reservations over one or more SKUs. Each SKU's partition holds the truth about its lines; here they are combined.

A reservation's id is made from its caller's key, so a retry finds the reservation without a look-up. Before any stock
is held, the request is written (for retries; only the first request under a key), and then the reservation (with its
TTL). So a held line had both, wherever a crash cut the call off, and a held line whose reservation is gone has
expired. A retry of a call that was cut off between the two writes the reservation. A reservation of several SKUs is
held line by line, and given back where one line cannot be had; what a crash leaves half-way is given back or
completed by a retry, or it expires.
"""

import asyncio
import logging
from uuid import UUID, uuid5

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.asked import Asked, AskedStore, digest_of
from lakeproof_shop.services.inventory.clock import Clock, utc_now
from lakeproof_shop.services.inventory.metrics import InventoryMetrics
from lakeproof_shop.services.inventory.models import (
    KEY_REUSED,
    KEYS,
    Change,
    Decision,
    InventoryRefused,
    Line,
    Op,
    State,
    Totals,
    receipt_id,
)
from lakeproof_shop.services.inventory.requests import ReservationRequest
from lakeproof_shop.services.inventory.reservation import Reservation, Stock, refusal_of, reservation_of, stock_of
from lakeproof_shop.services.inventory.stock import ENDED, SkuWriter, read_lines
from lakeproof_shop.services.inventory.unsent import UnsentEvents
from lakeproof_shop.serving.database.cassandra import Ring, WriteUnclear
from lakeproof_shop.serving.database.errors import CommitUnclear, DatabaseTrouble
from lakeproof_shop.serving.traces import trace_id

logger = logging.getLogger(__name__)

WRITERS_KEPT = 2_000


class InventoryStore:
    """Stock and reservations. `ttl_seconds`: how long a new reservation holds its goods.

    events: the written events that the relay has to send.
    ended: SKU → the lines that ended since the sweeper last emptied this set.
    ttl_is_trusted: False while the sweeper sees a TTL that ends reservations too early.
    """

    def __init__(self, ring: Ring, metrics: InventoryMetrics, ttl_seconds: float, clock: Clock = utc_now) -> None:
        self._ring, self._metrics, self._clock = ring, metrics, clock
        self._asked = AskedStore(ring, ttl_seconds, clock)
        self._writers: dict[str, SkuWriter] = {}
        self._turns: dict[UUID, asyncio.Lock] = {}
        self.events = UnsentEvents()
        self.ended: dict[str, set[UUID]] = {}
        self.ttl_is_trusted = True

    async def receive(self, sku: str, quantity: int, key: str, deadline: Deadline) -> tuple[Stock, bool]:
        """Add goods that came in. Gives the stock after it, and True where this key had added them before.

        Raises: InventoryRefused.
        """
        digest = digest_of(f"receive|{sku}|{quantity}")
        # The id is made from the key alone, not from the SKU: so the same key on another SKU is recognized as reused.
        id_ = receipt_id(key)
        async with self._turn(id_):
            await self._asked.keep(id_, digest, "", {sku: quantity}, deadline)
            change = Change(Op.RECEIVE, id_, quantity, digest, self._clock(), trace_id=trace_id.get())
            decision = await self.submit(sku, change, deadline)
        if decision.refused:
            raise InventoryRefused("key_reused", KEY_REUSED, sku)
        return stock_of(sku, decision.totals), decision.replayed

    async def stock(self, sku: str, deadline: Deadline) -> Stock | None:
        """One SKU's totals, read at SERIAL; None where nothing of the SKU ever came in."""
        rows = await self._ring.read(statements.TOTALS, (sku,), deadline)
        return stock_of(sku, Totals(*(value or 0 for value in rows[0]))) if rows and rows[0][0] else None

    async def reserve(self, request: ReservationRequest, key: str, deadline: Deadline) -> tuple[Reservation, bool]:
        """Hold all lines or none. Gives the reservation, and True where this key had made it before.

        Raises: InventoryRefused (out_of_stock, key_reused, expired_before_held).
        """
        id_ = uuid5(KEYS, f"reserve|{key}")
        digest = digest_of(f"reserve|{request.canonical()}")
        async with self._turn(id_):
            asked = await self._asked.keep(
                id_, digest, request.order_key, request.quantities(), deadline, reserves=True
            )
            return await self._all_or_none(asked, Op.HOLD, Op.UNDO, deadline)

    async def confirm(self, id_: UUID, deadline: Deadline) -> tuple[Reservation, bool]:
        """Sell what was reserved. The stock decides, not the reservation: an expired line is sold only where its
        goods are still on hand. Raises: InventoryRefused (not_found, reservation_expired, not_allowed).
        """
        async with self._turn(id_):
            asked = await self._asked.find(id_, deadline)
            if not self.ttl_is_trusted or not await self._asked.is_reserved(id_, deadline):
                self._metrics.rechecked.inc()
            return await self._all_or_none(asked, Op.CONFIRM, Op.UNSELL, deadline)

    async def release(self, id_: UUID, deadline: Deadline) -> tuple[Reservation, bool]:
        """Give back what is held. Raises: InventoryRefused (not_found; not_allowed once all of it is sold)."""
        async with self._turn(id_):
            asked = await self._asked.find(id_, deadline)
            lines = await self._lines(asked, deadline)
            sold = [sku for sku, line in lines.items() if line is not None and line.state is State.SOLD]
            if sold and len(sold) == len(lines):
                raise InventoryRefused("not_allowed", "it is confirmed: what is sold is not released")
            # A confirmation that was cut off half-way is taken back.
            undone = await self._each(asked, Op.UNSELL, deadline, only=sold)
            rest = await self._each(asked, Op.RELEASE, deadline, only=[sku for sku in lines if sku not in sold])
            decisions = undone | rest
        after = {sku: one.line for sku, one in decisions.items()}
        replayed = all(one.replayed or one.refused == "not_found" for one in decisions.values())
        return reservation_of(asked, after), replayed

    async def find(self, id_: UUID, deadline: Deadline) -> Reservation:
        """A reservation as it is now. Raises: InventoryRefused (not_found)."""
        asked = await self._asked.find(id_, deadline)
        return reservation_of(asked, await self._lines(asked, deadline))

    async def submit(self, sku: str, change: Change, deadline: Deadline) -> Decision:
        """Make one change of one SKU, through the SKU's writer. Raises: as SkuWriter.submit."""
        writer = self._writers.get(sku)
        if writer is None:
            if len(self._writers) >= WRITERS_KEPT:
                self._writers = {name: each for name, each in self._writers.items() if not each.idle}
            writer = self._writers[sku] = SkuWriter(sku, self._ring, self._metrics, self.events.add, self._clock)
        decision = await writer.submit(change, deadline)
        if decision.line is not None and decision.line.state in ENDED:
            self.ended.setdefault(sku, set()).add(change.id)
        return decision

    async def _lines(self, asked: Asked, deadline: Deadline) -> dict[str, Line | None]:
        async def line_of(sku: str) -> Line | None:
            return (await read_lines(self._ring, sku, [asked.id], deadline))[asked.id]

        found = await asyncio.gather(*(line_of(sku) for sku in asked.quantities))
        return dict(zip(asked.quantities, found, strict=True))

    async def _all_or_none(self, asked: Asked, op: Op, back: Op, deadline: Deadline) -> tuple[Reservation, bool]:
        """Make the change `op` in every SKU. Where one SKU refuses, `back` takes the change back in the others.

        `back` also takes back what an earlier call made that was cut off: its caller was told nothing yet, and is
        refused now. Gives True where all of the change had been made before. Raises: InventoryRefused.
        """
        decisions = await self._each(asked, op, deadline)
        for sku, one in decisions.items():
            if one.refused:
                done = [each for each, other in decisions.items() if not other.refused]
                await self._take_back(asked, back, done, deadline)
                raise refusal_of(asked, sku, one.refused)
        lines = {sku: one.line for sku, one in decisions.items()}
        return reservation_of(asked, lines), all(one.replayed for one in decisions.values())

    async def _each(
        self, asked: Asked, op: Op, deadline: Deadline, *, only: list[str] | None = None
    ) -> dict[str, Decision]:
        """Make one change in every SKU, all at once. Where one fails, all have ended before its error is raised."""
        skus = list(asked.quantities) if only is None else only
        ended = await asyncio.gather(
            *(self.submit(sku, asked.change(op, sku), deadline) for sku in skus), return_exceptions=True
        )
        failures = [each for each in ended if isinstance(each, BaseException)]
        if failures:
            # One SKU's change was not made, but another SKU's may have been: the outcome of the whole is unclear.
            worst = next((each for each in failures if isinstance(each, CommitUnclear)), failures[0])
            if len(skus) > 1 and isinstance(worst, DatabaseTrouble):
                raise CommitUnclear(str(worst)) from worst
            raise worst
        return {sku: one for sku, one in zip(skus, ended, strict=True) if isinstance(one, Decision)}

    async def _take_back(self, asked: Asked, op: Op, skus: list[str], deadline: Deadline) -> None:
        """Take changes back, where there is time. A hold that could not be taken back expires.

        Raises: WriteUnclear where a sale could not be taken back: the caller must know.
        """
        try:
            await self._each(asked, op, deadline, only=skus)
        except DatabaseTrouble as error:
            logger.warning("could not take back", extra={"reservation": str(asked.id), "op": op.value})
            if op is Op.UNSELL:
                raise WriteUnclear(f"a part of it may be sold: {error}") from error

    def _turn(self, id_: UUID) -> asyncio.Lock:
        """The lock by which this instance's calls for one reservation go one after another."""
        if len(self._turns) > WRITERS_KEPT:
            self._turns = {each: lock for each, lock in self._turns.items() if lock.locked()}
        return self._turns.setdefault(id_, asyncio.Lock())
