"""Checkouts in MariaDB: made once for a key, held by one worker at a time, moved step by step."""

import uuid
from datetime import datetime
from typing import Any

import orjson

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.models import Checkout, Step
from lakeproof_shop.services.checkout.requests import CheckoutRequest
from lakeproof_shop.serving.database.attempts import Attempts
from lakeproof_shop.serving.database.errors import Duplicate, SaidNo
from lakeproof_shop.serving.database.metrics import DatabaseMetrics
from lakeproof_shop.serving.database.mysql import Connection, Row, execute
from lakeproof_shop.serving.database.pool import ConnectionPool

_COLUMNS = (
    "checkout_key, LOWER(HEX(digest)), request, step, reservation_id, order_id, payment_id, fulfillment_id, sold,"
    " refusal_code, refusal_text, attempts, trace_id, created_at, updated_at"
)
_SELECT = f"SELECT {_COLUMNS} FROM checkouts WHERE checkout_key = %s;"
_NEED_THE_CARD = frozenset({Step.RESERVE, Step.ORDER, Step.AUTHORIZE})
# The columns that the values of a step may set.
_MAY_SET = frozenset({"reservation_id", "order_id", "payment_id", "fulfillment_id", "sold"})


class KeyReused(SaidNo):
    """The key belongs to another checkout."""


class HoldLost(SaidNo):
    """Another worker holds the checkout now, because this one's hold ran out."""


class CheckoutStore:
    """Checkouts, by way of a pool of connections. `hold_seconds`: how long a silent worker keeps its checkout."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: DatabaseMetrics, *, hold_seconds: float) -> None:
        self._attempts = Attempts(pool, metrics, execute)
        self._held_until = f"DATE_ADD(UTC_TIMESTAMP(6), INTERVAL {int(hold_seconds * 1_000_000)} MICROSECOND)"

    async def begin(
        self, key: str, request: CheckoutRequest, trace: str, deadline: Deadline
    ) -> tuple[Checkout, str | None]:
        """Make the checkout of `key` and hold it, or give the existing checkout, not held (None).

        Raises: KeyReused; and as `Attempts.transact`.
        """
        owner = uuid.uuid4().hex
        statement = (
            "START TRANSACTION;"
            "INSERT INTO checkouts (checkout_key, digest, request, step, sold, attempts, trace_id, owner, held_until,"
            f" is_open, created_at, updated_at) VALUES (%s, UNHEX(%s), %s, %s, FALSE, 0, %s, %s, {self._held_until},"
            f" TRUE, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)); {_SELECT}"
        )
        stored = orjson.dumps(request.stored()).decode()
        args = (key, request.digest(), stored, Step.RESERVE.value, trace, owner, key)

        async def insert(connection: Connection) -> tuple[Checkout, str | None]:
            (rows,) = await execute(connection, statement, args)
            return _checkout(rows[0]), owner

        async def there(connection: Connection, _: Duplicate) -> tuple[Checkout, str | None]:
            found = await _find(connection, key)
            if found is None or found.digest != request.digest():
                raise KeyReused("this key was used for another checkout")
            return found, None

        return await self._attempts.transact(insert, deadline, replay=there)

    async def find(self, key: str, deadline: Deadline) -> Checkout | None:
        """The checkout of that key, None where there is none."""
        return await self._attempts.run(lambda connection: _find(connection, key), deadline)

    async def hold(self, key: str, deadline: Deadline) -> tuple[Checkout, str] | None:
        """Hold an open checkout that nobody holds; None where it has ended or is held."""
        owner = uuid.uuid4().hex

        async def take(connection: Connection) -> tuple[Checkout, str] | None:
            (rows,) = await execute(
                connection,
                f"START TRANSACTION; UPDATE checkouts SET owner = %s, held_until = {self._held_until}"
                " WHERE checkout_key = %s AND is_open AND held_until < UTC_TIMESTAMP(6);"
                f"SELECT {_COLUMNS} FROM checkouts WHERE checkout_key = %s AND owner = %s;",
                (owner, key, key, owner),
            )
            return (_checkout(rows[0]), owner) if rows else None

        return await self._attempts.transact(take, deadline)

    async def reopen(self, key: str, step: Step, deadline: Deadline) -> tuple[Checkout, str | None] | None:
        """Reopen and hold a checkout that is done, with `step` as its next step. Gives the checkout and its owner.

        The owner is None where the checkout is not done, and was left as it is. None where there is no such checkout.
        Raises: as `Attempts.transact`.
        """
        owner = uuid.uuid4().hex

        async def take(connection: Connection) -> tuple[Checkout, str | None] | None:
            held, found = await execute(
                connection,
                f"START TRANSACTION; UPDATE checkouts SET step = %s, owner = %s, held_until = {self._held_until},"
                " attempts = 0, is_open = TRUE, refusal_code = NULL, refusal_text = NULL,"
                " asked_at = UTC_TIMESTAMP(6), updated_at = GREATEST(UTC_TIMESTAMP(6), updated_at)"
                " WHERE checkout_key = %s AND step = %s AND NOT is_open;"
                f"SELECT {_COLUMNS} FROM checkouts WHERE checkout_key = %s AND owner = %s; {_SELECT}",
                (step.value, owner, key, Step.DONE.value, key, owner, key),
            )
            if not found:
                return None
            return _checkout(found[0]), owner if held else None

        return await self._attempts.transact(take, deadline)

    async def left_alone(self, limit: int, deadline: Deadline) -> list[str]:
        """Keys of open checkouts that nobody holds, those that wait longest first."""

        async def read(connection: Connection) -> list[str]:
            (rows,) = await execute(
                connection,
                "SELECT checkout_key FROM checkouts WHERE is_open AND held_until < UTC_TIMESTAMP(6)"
                " ORDER BY held_until LIMIT %s;",
                (limit,),
            )
            return [str(row[0]) for row in rows]

        return await self._attempts.run(read, deadline)

    async def advance(
        self,
        checkout: Checkout,
        owner: str,
        step: Step,
        deadline: Deadline,
        *,
        values: dict[str, Any] | None = None,
        refusal: tuple[str, str] | None = None,
    ) -> Checkout:
        """Store that a step was done: the `values` that it gave, and the next `step`. An end closes the checkout.

        Raises: HoldLost; and as `Attempts.transact`.
        """
        changes: dict[str, Any] = {"step": step.value, "attempts": 0, "is_open": not step.is_end}
        changes |= {name: value for name, value in (values or {}).items() if name in _MAY_SET}
        if "card" in checkout.request and step not in _NEED_THE_CARD:
            # The card is kept only while a step needs it, because every reader of the table sees it, beside address
            # and e-mail.
            kept = {name: value for name, value in checkout.request.items() if name != "card"}
            changes["request"] = orjson.dumps(kept).decode()
        if refusal is not None:
            changes |= {"refusal_code": refusal[0], "refusal_text": refusal[1]}
        return await self._write(checkout.key, owner, changes, self._held_until, deadline)

    async def let_go(self, checkout: Checkout, owner: str, seconds: float, deadline: Deadline) -> Checkout:
        """After an unclear answer, let any worker hold the checkout from `seconds` on. Raises: as `advance`."""
        again = f"DATE_ADD(UTC_TIMESTAMP(6), INTERVAL {int(seconds * 1_000_000)} MICROSECOND)"
        return await self._write(checkout.key, owner, {"attempts": checkout.attempts + 1}, again, deadline)

    async def _write(
        self, key: str, owner: str, changes: dict[str, Any], held_until: str, deadline: Deadline
    ) -> Checkout:
        set_them = ", ".join(f"{name} = %s" for name in changes)
        statement = (
            f"START TRANSACTION; UPDATE checkouts SET {set_them}, held_until = {held_until},"
            " updated_at = GREATEST(UTC_TIMESTAMP(6), updated_at) WHERE checkout_key = %s AND owner = %s;"
            f"SELECT {_COLUMNS} FROM checkouts WHERE checkout_key = %s AND owner = %s;"
        )

        async def write(connection: Connection) -> Checkout:
            (rows,) = await execute(connection, statement, (*changes.values(), key, owner, key, owner))
            if not rows:
                raise HoldLost("another worker goes on with it")
            return _checkout(rows[0])

        return await self._attempts.transact(write, deadline)

    async def open_by_step(self, deadline: Deadline) -> dict[str, tuple[int, float]]:
        """Step → (open checkouts, age of the oldest in seconds), for the metrics."""

        async def read(connection: Connection) -> dict[str, tuple[int, float]]:
            (rows,) = await execute(
                connection,
                "SELECT step, COUNT(*),"
                " TIMESTAMPDIFF(MICROSECOND, MIN(COALESCE(asked_at, created_at)), UTC_TIMESTAMP(6)) / 1000000"
                " FROM checkouts WHERE is_open GROUP BY step;",
            )
            return {str(row[0]): (int(row[1]), float(row[2])) for row in rows}

        return await self._attempts.run(read, deadline)


async def _find(connection: Connection, key: str) -> Checkout | None:
    (rows,) = await execute(connection, _SELECT, (key,))
    return _checkout(rows[0]) if rows else None


def _checkout(row: Row) -> Checkout:
    created, updated = (at if isinstance(at, datetime) else datetime.fromisoformat(str(at)) for at in row[13:15])
    return Checkout(
        key=row[0],
        digest=row[1],
        request=orjson.loads(row[2]),
        step=Step(row[3]),
        reservation_id=row[4],
        order_id=row[5],
        payment_id=row[6],
        fulfillment_id=row[7],
        sold=bool(row[8]),
        refusal=(row[9], row[10] or "") if row[9] is not None else None,
        attempts=int(row[11]),
        trace_id=row[12],
        created_at=created,
        updated_at=updated,
    )
