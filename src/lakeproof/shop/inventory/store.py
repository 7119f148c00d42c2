"""Reservations over one or more SKUs. What is true stands in each SKU's partition; here it is put together.

A reservation's id is made of its caller's key, so a retry finds it without a look-up. Before any stock is held, the
request (for retries) and the reservation (with its TTL) are written: so a held line always has both, and one whose
reservation is gone has expired. A reservation of several SKUs is held line by line and taken back where one cannot be
had; what a crash leaves half-way expires.
"""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

import orjson

from lakeproof.deadline import Deadline
from lakeproof.shop.database.cassandra import Ring, Row, WriteUnclear
from lakeproof.shop.database.errors import CommitUnclear, DatabaseTrouble, SaidNo
from lakeproof.shop.inventory import statements
from lakeproof.shop.inventory.metrics import InventoryMetrics
from lakeproof.shop.inventory.models import KEYS, Change, Decision, Line, Op, State, Totals, Why, receipt_id
from lakeproof.shop.inventory.requests import ReservationRequest
from lakeproof.shop.inventory.stock import ENDED, SkuWriter, read_lines
from lakeproof.shop.traces import trace_id

logger = logging.getLogger(__name__)

WRITERS_KEPT = 2_000

ReservationState = Literal["held", "confirmed", "released", "expired"]


class InventoryRefused(SaidNo):
    """The shop's own rules say no. `sku`: the one that it is about, if any."""

    def __init__(self, why: Why, message: str, sku: str = "") -> None:
        self.why, self.sku = why, sku
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class ReservationLine:
    """Units of one SKU, and where its claim stands."""

    sku: str
    quantity: int
    state: str


@dataclass(frozen=True, slots=True)
class Reservation:
    """A reservation as its caller sees it. Times: ISO 8601, UTC, microseconds."""

    id: str
    order_key: str
    state: ReservationState
    expires_at: str
    created_at: str
    lines: tuple[ReservationLine, ...]


@dataclass(frozen=True, slots=True)
class Stock:
    """One SKU's totals."""

    sku: str
    received: int
    sold: int
    reserved: int
    on_hand: int
    version: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for under a key, as it is kept."""

    id: UUID
    digest: str
    order_key: str
    quantities: Mapping[str, int]
    expires_at: datetime
    created_at: datetime

    def change(self, op: Op, sku: str) -> Change:
        """What it asks of one SKU."""
        return Change(
            op,
            self.id,
            self.quantities[sku],
            self.digest,
            self.created_at,
            self.expires_at,
            self.order_key,
            trace_id.get(),
        )


class InventoryStore:
    """Stock and reservations. `ttl_seconds`: how long a new reservation is to hold.

    `events`: by SKU what was written, for the relay, which empties it; `ended`: by SKU what was held and is not any
    more, for the sweeper, likewise. `ttl_is_trusted`: reservations live as long as they should.
    """

    def __init__(self, ring: Ring, metrics: InventoryMetrics, ttl_seconds: float) -> None:
        self._ring, self._metrics, self._ttl_seconds = ring, metrics, ttl_seconds
        self._writers: dict[str, SkuWriter] = {}
        self._turns: dict[UUID, asyncio.Lock] = {}
        self.events: dict[str, list[Row]] = {}
        self.ended: dict[str, set[UUID]] = {}
        self.ttl_is_trusted = True

    async def receive(self, sku: str, quantity: int, key: str, deadline: Deadline) -> tuple[Stock, bool]:
        """Goods came in: the stock after it, and whether this key had done it before. Raises: InventoryRefused."""
        digest = _digest(f"receive|{sku}|{quantity}")
        # A key belongs to its caller, whatever SKU it names: the same key on another SKU must be seen.
        id_ = receipt_id(key)
        async with self._turn(id_):
            await self._ask(id_, digest, "", {sku: quantity}, deadline)
            change = Change(Op.RECEIVE, id_, quantity, digest, datetime.now(UTC), trace_id=trace_id.get())
            decision = await self.submit(sku, change, deadline)
        if decision.refused:
            raise InventoryRefused("key_reused", f"the key {key} was used for another request", sku)
        return _stock(sku, decision.totals), decision.replayed

    async def stock(self, sku: str, deadline: Deadline) -> Stock | None:
        """One SKU's totals as decided by now, None where it never came in."""
        rows = await self._ring.read(statements.TOTALS, (sku,), deadline)
        return _stock(sku, Totals(*(value or 0 for value in rows[0]))) if rows and rows[0][0] else None

    async def reserve(self, request: ReservationRequest, key: str, deadline: Deadline) -> tuple[Reservation, bool]:
        """Hold all lines or none; with True where this key had done it before.

        Raises: InventoryRefused (out_of_stock, key_reused, expired_before_held).
        """
        id_ = uuid5(KEYS, f"reserve|{key}")
        digest = _digest(f"reserve|{request.canonical()}")
        async with self._turn(id_):
            asked = await self._ask(id_, digest, request.order_key, request.quantities(), deadline, reserves=True)
            decisions = await self._each(asked, Op.HOLD, deadline)
            refused = [(sku, one.refused) for sku, one in decisions.items() if one.refused]
            if refused:
                sku, why = refused[0]
                assert why is not None
                held = [sku for sku, one in decisions.items() if not one.refused and not one.replayed]
                await self._take_back(asked, Op.UNDO, held, deadline)
                raise InventoryRefused(why, _says(why, asked, sku), sku)
        return _reservation(asked, {sku: one.line for sku, one in decisions.items()}), all(
            one.replayed for one in decisions.values()
        )

    async def confirm(self, id_: UUID, deadline: Deadline) -> tuple[Reservation, bool]:
        """Sell what was reserved. The stock decides, not the reservation: what has expired is had again only where
        there is some. Raises: InventoryRefused (not_found, reservation_expired, not_allowed).
        """
        async with self._turn(id_):
            asked = await self._find(id_, deadline)
            if not self.ttl_is_trusted or not await self._is_there(id_, deadline):
                self._metrics.rechecked.inc()
            decisions = await self._each(asked, Op.CONFIRM, deadline)
            refused = [(sku, one.refused) for sku, one in decisions.items() if one.refused]
            if refused:
                sku, why = refused[0]
                assert why is not None
                sold = [sku for sku, one in decisions.items() if not one.refused and not one.replayed]
                await self._take_back(asked, Op.UNSELL, sold, deadline)
                raise InventoryRefused(why, _says(why, asked, sku), sku)
        return _reservation(asked, {sku: one.line for sku, one in decisions.items()}), all(
            one.replayed for one in decisions.values()
        )

    async def release(self, id_: UUID, deadline: Deadline) -> tuple[Reservation, bool]:
        """Give back what is held. Raises: InventoryRefused (not_found; not_allowed once all of it is sold)."""
        async with self._turn(id_):
            asked = await self._find(id_, deadline)
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
        return _reservation(asked, after), replayed

    async def find(self, id_: UUID, deadline: Deadline) -> Reservation:
        """A reservation as it is now. Raises: InventoryRefused (not_found)."""
        asked = await self._find(id_, deadline)
        return _reservation(asked, await self._lines(asked, deadline))

    async def submit(self, sku: str, change: Change, deadline: Deadline) -> Decision:
        """One change of one SKU through its writer. Raises: as SkuWriter.submit."""
        writer = self._writers.get(sku)
        if writer is None:
            if len(self._writers) >= WRITERS_KEPT:
                self._writers = {name: each for name, each in self._writers.items() if not each.idle}
            writer = self._writers[sku] = SkuWriter(sku, self._ring, self._metrics, self._note)
        decision = await writer.submit(change, deadline)
        if decision.line is not None and decision.line.state in ENDED:
            self.ended.setdefault(sku, set()).add(change.id)
        return decision

    async def _ask(
        self,
        id_: UUID,
        digest: str,
        order_key: str,
        quantities: Mapping[str, int],
        deadline: Deadline,
        *,
        reserves: bool = False,
    ) -> Asked:
        """What this key asked for, kept before anything is done. Raises: InventoryRefused (key_reused)."""
        found = await self._look_up(id_, deadline)
        if found is not None:
            if found.digest != digest:
                raise InventoryRefused("key_reused", "the key was used for another request")
            return found
        now = _to_milliseconds(datetime.now(UTC))
        asked = Asked(id_, digest, order_key, quantities, now + timedelta(seconds=self._ttl_seconds), now)
        text = orjson.dumps(quantities).decode()
        kept = (id_, digest, order_key, text, asked.expires_at, asked.created_at)
        writes = [self._ring.write(statements.ADD_REQUEST, kept, deadline)]
        if reserves:
            shown = (id_, order_key, text, asked.expires_at, asked.created_at)
            writes.append(self._ring.write(statements.ADD_RESERVATION, shown, deadline))
        await asyncio.gather(*writes)
        return asked

    async def _look_up(self, id_: UUID, deadline: Deadline) -> Asked | None:
        rows = await self._ring.read(statements.FIND_REQUEST, (id_,), deadline)
        if not rows:
            return None
        digest, order_key, lines, expires_at, created_at = rows[0]
        quantities = {str(sku): int(units) for sku, units in orjson.loads(lines).items()}
        return Asked(
            id_, digest, order_key, quantities, expires_at.replace(tzinfo=UTC), created_at.replace(tzinfo=UTC)
        )

    async def _find(self, id_: UUID, deadline: Deadline) -> Asked:
        found = await self._look_up(id_, deadline)
        if found is None or not found.order_key:  # a receipt of goods has a key too, and no order
            raise InventoryRefused("not_found", f"no reservation {id_}")
        return found

    async def _is_there(self, id_: UUID, deadline: Deadline) -> bool:
        return bool(await self._ring.read(statements.WHICH_RESERVATIONS, ([id_],), deadline))

    async def _lines(self, asked: Asked, deadline: Deadline) -> dict[str, Line | None]:
        async def line_of(sku: str) -> Line | None:
            return (await read_lines(self._ring, sku, [asked.id], deadline))[asked.id]

        found = await asyncio.gather(*(line_of(sku) for sku in asked.quantities))
        return dict(zip(asked.quantities, found, strict=True))

    async def _each(
        self, asked: Asked, op: Op, deadline: Deadline, *, only: list[str] | None = None
    ) -> dict[str, Decision]:
        """One change in every SKU, at once. Where one of them failed, all have ended before its error is raised."""
        skus = list(asked.quantities) if only is None else only
        ended = await asyncio.gather(
            *(self.submit(sku, asked.change(op, sku), deadline) for sku in skus), return_exceptions=True
        )
        failures = [each for each in ended if isinstance(each, BaseException)]
        if failures:
            # With several SKUs one that was not done does not say that none was.
            worst = next((each for each in failures if isinstance(each, CommitUnclear)), failures[0])
            if len(skus) > 1 and isinstance(worst, DatabaseTrouble):
                raise CommitUnclear(str(worst)) from worst
            raise worst
        return {sku: one for sku, one in zip(skus, ended, strict=True) if isinstance(one, Decision)}

    async def _take_back(self, asked: Asked, op: Op, skus: list[str], deadline: Deadline) -> None:
        """Best effort: what stays held for want of time expires. A sale must be taken back, or the caller is told."""
        try:
            await self._each(asked, op, deadline, only=skus)
        except DatabaseTrouble as error:
            logger.warning("could not take back", extra={"reservation": str(asked.id), "op": op.value})
            if op is Op.UNSELL:
                raise WriteUnclear(f"a part of it may be sold: {error}") from error

    def _note(self, sku: str, events: Sequence[Row]) -> None:
        self.events.setdefault(sku, []).extend(events)

    def _turn(self, id_: UUID) -> asyncio.Lock:
        """Calls for one reservation go one after another."""
        if len(self._turns) > WRITERS_KEPT:
            self._turns = {each: lock for each, lock in self._turns.items() if lock.locked()}
        return self._turns.setdefault(id_, asyncio.Lock())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _to_milliseconds(at: datetime) -> datetime:
    """As precise as Cassandra's timestamps, so that what is read back is equal."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _stock(sku: str, totals: Totals) -> Stock:
    return Stock(sku, totals.received, totals.sold, totals.reserved, totals.on_hand, totals.version)


def _says(why: Why, asked: Asked, sku: str) -> str:
    units = asked.quantities[sku]
    return {
        "out_of_stock": f"{units} of {sku} are not on hand",
        "reservation_expired": f"the reservation has expired, and {units} of {sku} are not on hand any more",
        "expired_before_held": "the time of this key's reservation is over: use another key",
        "not_allowed": "the reservation was released",
        "not_found": f"nothing of {sku} was ever held for it",
        "key_reused": "the key was used for another request",
    }[why]


def _reservation(asked: Asked, lines: Mapping[str, Line | None]) -> Reservation:
    states = {sku: line.state if line is not None else State.RELEASED for sku, line in lines.items()}
    shown = tuple(ReservationLine(sku, asked.quantities[sku], _WORDS[state]) for sku, state in sorted(states.items()))
    return Reservation(
        str(asked.id),
        asked.order_key,
        _whole(set(states.values())),
        _iso(asked.expires_at),
        _iso(asked.created_at),
        shown,
    )


_WORDS: dict[State, ReservationState] = {
    State.HELD: "held",
    State.SOLD: "confirmed",
    State.RELEASED: "released",
    State.EXPIRED: "expired",
}


def _whole(states: set[State]) -> ReservationState:
    """The reservation's state of those of its lines: confirmed and held only where all are."""
    if len(states) == 1:
        return _WORDS[states.pop()]
    return "expired" if State.EXPIRED in states else "released"
