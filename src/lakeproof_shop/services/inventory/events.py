"""The events of stock: one for each change, written in the same batch as the change."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from lakeproof_shop.services.inventory.models import Change, Line, Op, Totals

AGGREGATE = "stock"


def payload(change: Change, line: Line | None, totals: Totals, at: datetime) -> str:
    """The payload column of an event's row: all that `row_of` needs beside the event's id and SKU, as JSON."""
    data = {
        "receipt_id" if change.op is Op.RECEIVE else "reservation_id": str(change.id),
        "order_key": change.order_key,
        "quantity": change.quantity,
        "state": line.state.value if line is not None else "undone",
        "on_hand": totals.on_hand,
        "version": totals.version,
    }
    return orjson.dumps(
        {"type": change.op.event, "at": at.isoformat(), "trace_id": change.trace_id, "data": data}
    ).decode()


def time_of(text: str) -> datetime:
    """The time of the change that a payload tells of."""
    return datetime.fromisoformat(orjson.loads(text)["at"]).astimezone(UTC)


def row_of(sku: str, event_id: UUID, text: str) -> Mapping[str, Any]:
    """One event in the shape of an outbox's row (services/event_delivery.py, `message_of`)."""
    told = orjson.loads(text)
    return {
        "event_id": event_id,
        "aggregate": AGGREGATE,
        "aggregate_id": sku,
        "type": told["type"],
        "payload": orjson.dumps(told["data"]),
        "trace_id": told["trace_id"],
        "created_at": datetime.fromisoformat(told["at"]).astimezone(UTC),
    }
