"""Payments in PostgreSQL. Every change is one transaction of one statement: payment, event, caller's key, message.

COMMIT travels alone, so that only a connection lost during it leaves an unclear outcome. A key that was used is found
by its row, which only one transaction can make; two authorizations of one order meet at a unique index.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

from lakeproof.deadline import Deadline
from lakeproof_shop.services.payment.cards import decline_code, fingerprint
from lakeproof_shop.services.payment.events import RECORD, SELECT_ANSWER
from lakeproof_shop.services.payment.metrics import PaymentMetrics
from lakeproof_shop.services.payment.models import (
    DECLINED_EVENT,
    Amounts,
    Op,
    Payment,
    Status,
    amounts_after,
)
from lakeproof_shop.services.payment.requests import AuthorizeRequest, money
from lakeproof_shop.serving.database.errors import Duplicate, MadeByAnother
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import Connection, Row, attempts_on
from lakeproof_shop.serving.operation import Operation, RuleRefused
from lakeproof_shop.serving.times import iso
from lakeproof_shop.serving.traces import trace_id

MAX_FOUND = 200  # payments of one order

_AUTHORIZE = (
    """
WITH changed AS (
    INSERT INTO payments (order_id, customer_id, card_fingerprint, amount, status, authorized, captured, refunded,
                          decline_code, version, created_at, updated_at)
    SELECT $7::bigint, $8::bigint, $9::text, $2::numeric, $10::text, $11::numeric, 0, 0, $12::text, 1, at, at
    FROM clock_timestamp() AS at
    RETURNING *
)"""
    + RECORD
)
_LOCK = "SELECT status, authorized, captured, refunded FROM payments WHERE id = $1 FOR UPDATE"
# The clock may have been set back: a payment's times never go back.
_CHANGE = (
    """
WITH changed AS (
    UPDATE payments SET status = $8, captured = $9, refunded = $10, version = version + 1,
                        updated_at = GREATEST(clock_timestamp(), updated_at)
    WHERE id = $7
    RETURNING *
)"""
    + RECORD
)
_ORDER_HAS_PAYMENT = "one_live_payment_per_order"


@dataclass(frozen=True, slots=True)
class Changed:
    """The answer to a change. replayed: an earlier call with this key had made the change and got this answer."""

    payment: Payment
    replayed: bool = False


class PaymentStore:
    """Payments, by way of a pool of connections. `changed` is called after each commit."""

    def __init__(
        self, pool: ConnectionPool[Connection], metrics: PaymentMetrics, changed: Callable[[], None] = lambda: None
    ) -> None:
        self._metrics, self._changed = metrics, changed
        self._attempts = attempts_on(pool, metrics.database)

    async def authorize(self, request: AuthorizeRequest, operation: Operation[Op], deadline: Deadline) -> Changed:
        """Make a payment, authorized or declined, or give the one that this key made before.

        Raises: RuleRefused (key_reused, order_has_payment), and as `Attempts.transact`.
        """
        statement, args = authorization(request, operation)

        async def work(connection: Connection) -> Changed:
            (row,) = await connection.fetch(statement, *args)
            return Changed(payment_of(row))

        changed = await self._transact(work, operation, deadline)
        if changed.payment.decline_code and not changed.replayed:
            self._metrics.declines.labels(changed.payment.decline_code).inc()
        return changed

    async def change(
        self, payment_id: int, operation: Operation[Op], amount: Decimal | None, deadline: Deadline
    ) -> Changed:
        """Capture, refund or void a payment. A repeated key changes nothing and gets the answer that it had.

        Raises: RuleRefused, and as `Attempts.transact`.
        """

        async def work(connection: Connection) -> Changed:
            locked = await connection.fetch(_LOCK, payment_id)
            try:
                after, moved = _amounts_after(payment_id, locked, operation.op, amount)
            except RuleRefused:
                # The payment may be in this state by an earlier call with this key: then the key gets its old answer.
                if (done := await _answer(connection, operation)) is not None:
                    return done
                raise
            record = _record(operation, operation.op.event, moved)
            (row,) = await connection.fetch(
                _CHANGE, *record, payment_id, after.status.value, after.captured, after.refunded
            )
            return Changed(payment_of(row))

        return await self._transact(work, operation, deadline)

    async def find(self, payment_id: int, deadline: Deadline) -> Payment | None:
        """The payment with that id, None where there is none."""
        found = await self._find("id = $1", payment_id, deadline)
        return found[0] if found else None

    async def find_by_order(self, order_id: int, deadline: Deadline) -> list[Payment]:
        """The payments of an order, oldest first, the declined ones too; at most the newest MAX_FOUND."""
        return sorted(await self._find("order_id = $1", order_id, deadline), key=lambda payment: payment.id)

    async def _find(self, where: str, value: int, deadline: Deadline) -> list[Payment]:
        async def read(connection: Connection) -> list[Payment]:
            statement = f"SELECT * FROM payments WHERE {where} ORDER BY id DESC LIMIT {MAX_FOUND}"
            return [payment_of(row) for row in await connection.fetch(statement, value)]

        return await self._attempts.run(read, deadline)

    async def _transact(
        self, work: Callable[[Connection], Awaitable[Changed]], operation: Operation[Op], deadline: Deadline
    ) -> Changed:
        """A replay ends in ROLLBACK. Raises: as `Attempts.transact`."""

        async def replay(connection: Connection, duplicate: Duplicate) -> Changed:
            """The answer where the key, or another payment of the order, was there first."""
            if (done := await _answer(connection, operation)) is not None:
                return done
            if str(duplicate) == _ORDER_HAS_PAYMENT:
                raise RuleRefused("order_has_payment", "the order has a payment that is authorized or captured")
            raise MadeByAnother(f"{duplicate}: a row exists already that is not the caller's")

        changed = await self._attempts.transact(work, deadline, lambda done: not done.replayed, replay)
        if changed.replayed:
            self._metrics.replays.inc()
        else:
            self._changed()
            self._metrics.changes.labels(
                changed.payment.status if operation.op is Op.AUTHORIZE else operation.op.event
            ).inc()
        return changed


def authorization(request: AuthorizeRequest, operation: Operation[Op]) -> tuple[str, tuple[object, ...]]:
    """The statement that makes a payment, authorized or declined, and its arguments."""
    amount, code = money(request.amount), decline_code(request.card)
    return _AUTHORIZE, (
        *_record(operation, DECLINED_EVENT if code else operation.op.event, amount),
        request.order_id,
        request.customer_id,
        fingerprint(request.card),
        (Status.DECLINED if code else Status.AUTHORIZED).value,
        Decimal(0) if code else amount,
        code,
    )


def _record(operation: Operation[Op], event: str, moved: Decimal) -> tuple[object, ...]:
    """The arguments of RECORD."""
    return event, moved, operation.key, operation.digest, uuid.uuid4(), trace_id.get()


def _amounts_after(payment_id: int, locked: list[Row], op: Op, amount: Decimal | None) -> tuple[Amounts, Decimal]:
    if not locked:
        raise RuleRefused("not_found", f"no payment {payment_id}")
    status, authorized, captured, refunded = locked[0]
    return amounts_after(op, Amounts(Status(status), authorized, captured, refunded), amount)


async def _answer(connection: Connection, operation: Operation[Op]) -> Changed | None:
    """The answer that this key got before, None for a new key. Raises: RuleRefused (key_reused)."""
    done = await connection.fetch(SELECT_ANSWER, operation.key)
    if not done:
        return None
    operation.require_same(bytes(done[0]["digest"]))
    return Changed(payment_of(done[0]), replayed=True)


def payment_of(row: Row) -> Payment:
    """A payment from its row."""
    return Payment(
        id=row["id"],
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        status=Status(row["status"]),
        amount=str(row["amount"]),
        authorized=f"{row['authorized']:.2f}",
        captured=f"{row['captured']:.2f}",
        refunded=f"{row['refunded']:.2f}",
        decline_code=row["decline_code"],
        version=row["version"],
        created_at=iso(row["created_at"]),
        updated_at=iso(row["updated_at"]),
    )
