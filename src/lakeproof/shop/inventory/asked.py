"""What was asked for under a key: kept before anything is done, so that a retry is known by it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson

from lakeproof.deadline import Deadline
from lakeproof.services.database.cassandra import Ring
from lakeproof.services.traces import trace_id
from lakeproof.shop.inventory import statements
from lakeproof.shop.inventory.clock import Clock, utc_now
from lakeproof.shop.inventory.models import Change, InventoryRefused, Op


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


class AskedStore:
    """The tables of requests and of reservations. `ttl_seconds`: how long a new reservation is to hold."""

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
        """What this key asked for, kept before anything is done. Raises: InventoryRefused (key_reused).

        reserves: its reservation is kept too, and first: a retry that finds the request need not ask for it.
        """
        found = await self._look_up(id_, deadline)
        if found is not None:
            if found.digest != digest:
                raise InventoryRefused("key_reused", "the key was used for another request")
            return found
        now = _to_milliseconds(self._clock())
        asked = Asked(id_, digest, order_key, quantities, now + timedelta(seconds=self._ttl_seconds), now)
        text = orjson.dumps(quantities).decode()
        if reserves:
            shown = (id_, order_key, text, asked.expires_at, asked.created_at)
            await self._ring.write(statements.ADD_RESERVATION, shown, deadline)
        kept = (id_, digest, order_key, text, asked.expires_at, asked.created_at)
        await self._ring.write(statements.ADD_REQUEST, kept, deadline)
        return asked

    async def find(self, id_: UUID, deadline: Deadline) -> Asked:
        """What a reservation asked for. Raises: InventoryRefused (not_found)."""
        found = await self._look_up(id_, deadline)
        if found is None or not found.order_key:  # a receipt of goods has a key too, and no order
            raise InventoryRefused("not_found", f"no reservation {id_}")
        return found

    async def is_reserved(self, id_: UUID, deadline: Deadline) -> bool:
        """False where the reservation's row is gone: its TTL is over."""
        return bool(await self._ring.read(statements.WHICH_RESERVATIONS, ([id_],), deadline))

    async def _look_up(self, id_: UUID, deadline: Deadline) -> Asked | None:
        rows = await self._ring.read(statements.FIND_REQUEST, (id_,), deadline)
        if not rows:
            return None
        digest, order_key, lines, expires_at, created_at = rows[0]
        quantities = {str(sku): int(units) for sku, units in orjson.loads(lines).items()}
        return Asked(
            id_, digest, order_key, quantities, expires_at.replace(tzinfo=UTC), created_at.replace(tzinfo=UTC)
        )


def digest_of(request: str) -> str:
    """By which a request is known to be another than the one that its key was used for."""
    return hashlib.sha256(request.encode()).hexdigest()[:32]


def _to_milliseconds(at: datetime) -> datetime:
    """As precise as Cassandra's timestamps, so that what is read back is equal."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
