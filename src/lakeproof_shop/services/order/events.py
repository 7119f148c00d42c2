"""The rows that every change leaves beside the order: its event, for the lake, and its operation key, for retries."""

from collections.abc import Sequence

from lakeproof_shop.services.order.models import Op
from lakeproof_shop.serving.operation import Operation

INSERT_EVENT = "INSERT INTO order_events (order_id, version, type, at) VALUES ({order_id}, {version}, %s, {at});"
INSERT_OPERATION = (
    "INSERT INTO order_operations (operation_key, order_id, version, digest, at)"
    " VALUES (%s, {order_id}, {version}, UNHEX(%s), {at});"
)
SELECT_OPERATION = "SELECT order_id, version, LOWER(HEX(digest)) FROM order_operations WHERE operation_key = %s;"


def record(operation: Operation[Op], *, order_id: str, version: str, at: str) -> tuple[str, Sequence[object]]:
    """The statements that write the event and, where there is a key, the key; and their arguments.

    `order_id`, `version` and `at` are SQL expressions (literals or variables of the session).
    """
    values = {"order_id": order_id, "version": version, "at": at}
    statements, args = INSERT_EVENT.format(**values), [operation.op.event]
    if operation.key is not None:
        statements += INSERT_OPERATION.format(**values)
        args += [operation.key, operation.digest.hex()]
    return statements, args
