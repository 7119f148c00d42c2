"""Requests by their keys. A request is stored before anything is done for it, so that a retry is recognized."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson

from lakeproof.deadline import Deadline
from lakeproof_shop.services.inventory import statements
from lakeproof_shop.services.inventory.clock import Clock, utc_now
from lakeproof_shop.services.inventory.models import KEY_REUSED, Change, InventoryRefused, Op
from lakeproof_shop.serving.database.cassandra import Ring, Row
from lakeproof_shop.serving.traces import trace_id


@dataclass(frozen=True, slots=True)
class Asked:
    """The stored request of a reservation or of a receipt of goods (which has no `order_key`).

    id: made from the caller's key.
    digest: of the whole request.
    expires_at: when the hold of a reservation ends.
    """

    id: UUID
    digest: str
    order_key: str
    quantities: Mapping[str, int]
    expires_at: datetime
    created_at: datetime

    def change(self, op: Op, sku: str) -> Change:
        """The change that the request asks of one SKU."""
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


class AskedStore:
    """The tables of requests and of reservations. `ttl_seconds`: for how long a new reservation holds its goods."""

    def __init__(self, ring: Ring, ttl_seconds: float, clock: Clock = utc_now) -> None:
        self._ring, self._ttl_seconds, self._clock = ring, ttl_seconds, clock

    async def keep(
        self,
        id_: UUID,
        digest: str,
        order_key: str,
        quantities: Mapping[str, int],
        deadline: Deadline,
        *,
        reserves: bool = False,
    ) -> Asked:
        """Store a request, and give the request that is stored under its key. Raises: InventoryRefused (key_reused).

        The first request under a key is the key's request, whichever instance it came to: its row is written by
        INSERT … IF NOT EXISTS. So of two different requests at the same moment one is refused, holding nothing.
        reserves: also make sure that the row of inventory.reservations exists, unless the reservation's time is over.
        """
        now = _to_milliseconds(self._clock())
        asked = Asked(id_, digest, order_key, quantities, now + timedelta(seconds=self._ttl_seconds), now)
        kept = (id_, now, digest, asked.expires_at, _text(quantities), order_key)
        there = await self._ring.write_once(statements.ADD_REQUEST, kept, deadline)
        if there is not None:
            asked = _asked(there)
            if asked.digest != digest:
                raise InventoryRefused("key_reused", KEY_REUSED)
        if reserves and (there is None or await self._was_cut_off(asked, deadline)):
            shown = (id_, order_key, _text(quantities), asked.expires_at, asked.created_at)
            await self._ring.write(statements.ADD_RESERVATION, shown, deadline)
        return asked

    async def _was_cut_off(self, asked: Asked, deadline: Deadline) -> bool:
        """True where the reservation's time still runs and its row is missing: an earlier call was cut off."""
        return self._clock() < asked.expires_at and not await self.is_reserved(asked.id, deadline)

    async def find(self, id_: UUID, deadline: Deadline) -> Asked:
        """The stored request of a reservation. Raises: InventoryRefused (not_found)."""
        rows = await self._ring.read(statements.FIND_REQUEST, (id_,), deadline)
        found = _asked(rows[0]) if rows else None
        if found is None or not found.order_key:  # a receipt of goods has a key too, and no order
            raise InventoryRefused("not_found", f"no reservation {id_}")
        return found

    async def is_reserved(self, id_: UUID, deadline: Deadline) -> bool:
        """False where there is no row of the reservation: its TTL is over, or it was never written."""
        return bool(await self._ring.read(statements.WHICH_RESERVATIONS, ([id_],), deadline))


def _asked(row: Row) -> Asked:
    """The request in a row of inventory.requests. The driver gives UTC times without a time zone."""
    id_, created_at, digest, expires_at, lines, order_key = row
    quantities = {str(sku): int(units) for sku, units in orjson.loads(lines).items()}
    return Asked(id_, digest, order_key, quantities, expires_at.replace(tzinfo=UTC), created_at.replace(tzinfo=UTC))


def _text(quantities: Mapping[str, int]) -> str:
    return orjson.dumps(quantities).decode()


def digest_of(request: str) -> str:
    """A digest of a request, by which a key's second use for a different request is recognized."""
    return hashlib.sha256(request.encode()).hexdigest()[:32]


def _to_milliseconds(at: datetime) -> datetime:
    """The time cut to milliseconds, as Cassandra's timestamps are: the time read back later equals it."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
