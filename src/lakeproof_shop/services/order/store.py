"""Orders in MariaDB. Every change is one transaction: the order, its items, one event, and the caller's key.

Plain SQL and few round trips: one for all the statements of a change, one for COMMIT. COMMIT travels alone, so that
only a connection lost during it leaves an unclear outcome. Where the connection is lost earlier, all is rolled back.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.models import checkout_key_of
from lakeproof_shop.services.order.events import SELECT_OPERATION, record
from lakeproof_shop.services.order.metrics import OrderMetrics
from lakeproof_shop.services.order.models import Item, Op, Order, Status
from lakeproof_shop.services.order.requests import CreateRequest, ItemsRequest
from lakeproof_shop.serving.database.attempts import Attempts
from lakeproof_shop.serving.database.errors import Duplicate, MadeByAnother
from lakeproof_shop.serving.database.mysql import Connection, Row, execute
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.operation import Operation, RuleRefused
from lakeproof_shop.serving.times import iso

_COLUMNS = (
    "o.id, o.client_key, o.customer_id, o.status, o.total, o.item_count, o.version, o.created_at, o.updated_at,"
    " i.id, i.line, i.sku, i.quantity, i.unit_price"
)
# An order and its items in one statement: under READ COMMITTED two statements would read two points in time.
_SELECT_ORDER = f"SELECT {_COLUMNS} FROM orders o LEFT JOIN order_items i ON i.order_id = o.id WHERE {{where}} = %s"
_LOCK_ORDER = (
    "START TRANSACTION;"
    # The clock may have been set back: an order's times never go back.
    "SELECT GREATEST(UTC_TIMESTAMP(6), updated_at) FROM orders WHERE id = %s FOR UPDATE;"
)


@dataclass(frozen=True, slots=True)
class Changed:
    """The answer to a change. order: None once deleted. replayed: an earlier call with this key had made it."""

    order_id: int
    version: int
    order: Order | None
    replayed: bool = False


class OrderRefused(RuleRefused):
    """A change that the rules refuse. version: the order's, where it is known."""

    def __init__(self, why: str, message: str, version: int | None = None) -> None:
        super().__init__(why, message)
        self.version = version


class OrderStore:
    """Orders, by way of a pool of connections."""

    def __init__(self, pool: ConnectionPool[Connection], metrics: OrderMetrics) -> None:
        self._metrics = metrics
        self._attempts = Attempts(pool, metrics.database, execute)

    async def create(self, request: CreateRequest, operation: Operation[Op], deadline: Deadline) -> Changed:
        """Make an order under `operation.key`, or give the one that this key made before.

        Raises: OrderRefused (key_reused, done_and_gone), and what `_transact` raises.
        """
        key, total = operation.key, request.total
        assert key is not None
        rows = ", ".join(["(@id, %s, %s, %s, %s)"] * len(request.items))
        recorded, record_args = record(operation, order_id="@id", version="1", at="@at")
        statements = (
            "START TRANSACTION;"
            "SET @at = UTC_TIMESTAMP(6);"
            "INSERT INTO orders (client_key, customer_id, status, total, item_count, version, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, %s, 1, @at, @at);"
            "SET @id = LAST_INSERT_ID();"
            f"INSERT INTO order_items (order_id, line, sku, quantity, unit_price) VALUES {rows};"
            f"{recorded}"
            "SELECT id, @id, @at FROM order_items WHERE order_id = @id ORDER BY line"
        )
        args: list[object] = [key, request.customer_id, Status.CREATED.value, str(total), len(request.items)]
        for line, item in enumerate(request.items, start=1):
            args += [line, item.sku, item.quantity, f"{item.unit_price:.2f}"]
        args += record_args

        async def work(connection: Connection) -> Changed:
            (made,) = await execute(connection, statements, args)
            order_id, at = int(made[0][1]), iso(datetime.fromisoformat(made[0][2]))
            items = tuple(
                Item(int(row[0]), line, item.sku, item.quantity, f"{item.unit_price:.2f}")
                for line, (row, item) in enumerate(zip(made, request.items, strict=True), start=1)
            )
            order = Order(
                order_id, key, request.customer_id, Status.CREATED, str(total), len(items), 1, at, at, items
            )
            return Changed(order_id, 1, order)

        return await self._transact(work, operation, deadline)

    async def change(
        self,
        order_id: int,
        operation: Operation[Op],
        deadline: Deadline,
        *,
        expected_version: int | None = None,
        items: ItemsRequest | None = None,
        by_checkout: bool = False,
    ) -> Changed:
        """Pay, change, cancel, return or delete an order. A repeated key does nothing and gives the order as it is.

        Raises: OrderRefused (not_found, done_and_gone, key_reused, version_differs, not_allowed), and as `_transact`.
        """
        op = operation.op
        look = _LOCK_ORDER + SELECT_OPERATION + _SELECT_ORDER.format(where="o.id")

        async def work(connection: Connection) -> Changed:
            locked, done, rows = await execute(connection, look, (order_id, operation.key, order_id))
            order = _order(rows)
            if done:
                return _replayed(operation, done[0], order, order_id)
            if order is None:
                raise OrderRefused("not_found", f"no order {order_id}")
            if expected_version is not None and expected_version != order.version:
                raise OrderRefused(
                    "version_differs", f"version is {order.version}, not {expected_version}", order.version
                )
            checkout = checkout_key_of(order.client_key)
            if checkout is not None and not by_checkout:
                # Only the checkout may change its order, or the money, goods and parcel would be left behind.
                raise OrderRefused("not_allowed", f"the order belongs to checkout {checkout}", order.version)
            if Status(order.status) not in op.allowed_from:
                raise OrderRefused("not_allowed", f"cannot {op} an order that is {order.status}", order.version)
            at: datetime = locked[0][0]
            version = order.version + 1
            statements, args = _write(order, op, version, at, items)
            recorded, record_args = record(operation, order_id=str(order_id), version=str(version), at=f"'{at}'")
            fetch_ids = "SELECT id, line FROM order_items WHERE order_id = %s" if items is not None else "DO 0"
            results = await execute(
                connection,
                statements + recorded + fetch_ids,
                [*args, *record_args, *([order_id] if items is not None else [])],
            )
            if op is Op.DELETE:
                return Changed(order_id, version, None)
            after = replace(order, status=op.status_after(Status(order.status)), version=version, updated_at=iso(at))
            if items is not None:
                ids = {line: item_id for item_id, line in results[0]}
                after = replace(
                    after,
                    total=str(items.total),
                    item_count=len(items.items),
                    items=tuple(
                        Item(ids[line], line, item.sku, item.quantity, f"{item.unit_price:.2f}")
                        for line, item in enumerate(items.items, start=1)
                    ),
                )
            return Changed(order_id, version, after)

        return await self._transact(work, operation, deadline)

    async def find(self, order_id: int, deadline: Deadline) -> Order | None:
        """The order with that id, None where there is none."""
        return await self._find("o.id", order_id, deadline)

    async def find_by_key(self, client_key: str, deadline: Deadline) -> Order | None:
        """The order with that client key, None where there is none."""
        return await self._find("o.client_key", client_key, deadline)

    async def _find(self, where: str, value: object, deadline: Deadline) -> Order | None:
        async def read(connection: Connection) -> Order | None:
            (rows,) = await execute(connection, _SELECT_ORDER.format(where=where), (value,))
            return _order(rows)

        return await self._attempts.run(read, deadline)

    async def was_deleted(self, order_id: int, deadline: Deadline) -> bool:
        """True where an order of that id existed once and was deleted."""

        async def read(connection: Connection) -> bool:
            (rows,) = await execute(
                connection,
                "SELECT 1 FROM order_events WHERE order_id = %s AND type = %s",
                (order_id, Op.DELETE.event),
            )
            return bool(rows)

        return await self._attempts.run(read, deadline)

    async def _transact(
        self, work: Callable[[Connection], Awaitable[Changed]], operation: Operation[Op], deadline: Deadline
    ) -> Changed:
        """`work` starts the transaction; a replay ends in ROLLBACK. Raises: as `Attempts.transact`."""

        async def replay(connection: Connection, _: Duplicate) -> Changed:
            (done,) = await execute(connection, SELECT_OPERATION, (operation.key,))
            if not done and operation.op is not Op.CREATE:
                raise MadeByAnother("the order's next event exists already: it was changed by another way")
            if not done:
                raise OrderRefused("client_key_taken", "an order with this client key was made by another way")
            order_id = int(done[0][0])
            (rows,) = await execute(connection, _SELECT_ORDER.format(where="o.id"), (order_id,))
            return _replayed(operation, done[0], _order(rows), order_id)

        changed = await self._attempts.transact(work, deadline, lambda done: not done.replayed, replay)
        if changed.replayed:
            self._metrics.replays.inc()
        else:
            self._metrics.changes.labels(operation.op.value).inc()
        return changed


def _write(order: Order, op: Op, version: int, at: datetime, items: ItemsRequest | None) -> tuple[str, list[object]]:
    """The statements that bring the order's own rows to their new state, and their arguments."""
    if op is Op.DELETE:
        statements = "DELETE FROM order_items WHERE order_id = %s; DELETE FROM orders WHERE id = %s;"
        return statements, [order.id, order.id]
    status = op.status_after(Status(order.status))
    if items is None:
        return (
            "UPDATE orders SET status = %s, version = %s, updated_at = %s WHERE id = %s;",
            [status.value, version, at, order.id],
        )
    # Lines that stay are updated in place, so that their ids stay: an id is an item's identity in the lake.
    statements = "UPDATE orders SET total = %s, item_count = %s, version = %s, updated_at = %s WHERE id = %s;"
    args: list[object] = [str(items.total), len(items.items), version, at, order.id]
    old = {item.line: item for item in order.items}
    for line, wanted in enumerate(items.items, start=1):
        values: Sequence[object] = (wanted.sku, wanted.quantity, f"{wanted.unit_price:.2f}")
        if line not in old:
            statements += (
                "INSERT INTO order_items (order_id, line, sku, quantity, unit_price) VALUES (%s, %s, %s, %s, %s);"
            )
            args += [order.id, line, *values]
        elif (old[line].sku, old[line].quantity, old[line].unit_price) != values:
            statements += "UPDATE order_items SET sku = %s, quantity = %s, unit_price = %s WHERE id = %s;"
            args += [*values, old[line].id]
    if len(old) > len(items.items):
        statements += "DELETE FROM order_items WHERE order_id = %s AND line > %s;"
        args += [order.id, len(items.items)]
    return statements, args


def _replayed(operation: Operation[Op], done: Row, order: Order | None, order_id: int) -> Changed:
    """The answer to a key that was used before. Raises: OrderRefused (key_reused, done_and_gone)."""
    done_order_id, version, digest = int(done[0]), int(done[1]), done[2]
    if bytes.fromhex(digest) != operation.digest:
        raise OrderRefused("key_reused", f"the key {operation.key} was used for another request")
    if order is None and operation.op is not Op.DELETE:
        raise OrderRefused("done_and_gone", f"done before, but order {done_order_id} was deleted since", version)
    if order is None:
        return Changed(order_id, version, None, replayed=True)
    return Changed(order_id, order.version, order, replayed=True)


def _order(rows: list[Row]) -> Order | None:
    """One order from the rows of its join with its items."""
    if not rows:
        return None
    head = rows[0]
    items = sorted(
        (Item(int(row[9]), int(row[10]), row[11], int(row[12]), str(row[13])) for row in rows if row[9] is not None),
        key=lambda item: item.line,
    )
    total: Decimal = head[4]
    return Order(
        int(head[0]),
        head[1],
        int(head[2]),
        head[3],
        str(total),
        int(head[5]),
        int(head[6]),
        iso(head[7]),
        iso(head[8]),
        tuple(items),
    )
