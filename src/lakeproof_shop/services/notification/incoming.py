"""Which message another service's event calls for, and for whom. Pure: bytes in, a message or a reason out.

An event has one of two shapes: an outbox's message (event_delivery.py), or a row of oltp.order_events as Debezium
captured it.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson

from lakeproof.stack.topics import CDC_TOPIC, event_topic
from lakeproof_shop.names import MAX_CUSTOMER_ID
from lakeproof_shop.services.notification.models import Topic
from lakeproof_shop.serving.traces import accept_trace_id

TOPICS = (event_topic("payment"), event_topic("fulfillment"), event_topic("support"), CDC_TOPIC)
_ORDER_EVENTS_MARK = b'"order_events"'
# The namespace of order events' ids. Such an event has only a number; the id is made from it, so it stays the same.
_ORDER_EVENT_IDS = uuid.UUID("6f0d2a52-7c0f-5d6e-9a5c-3d5a1f0f7f31")


class Template(NamedTuple):
    """The text that a customer gets. Names in {} are keys of the event's data.

    told_by_receipt: the receipt of a checkout (checkout/steps.py) says the same, for an order that a checkout made.
    """

    topic: Topic
    subject: str
    body: str
    told_by_receipt: bool = False


# Event type → the text; None: the type is known, and no customer is told of it.
TEMPLATES: Mapping[str, Template | None] = {
    "payment.captured": Template(Topic.PAYMENT, "Payment received", "We received {moved} for order {order_id}."),
    "payment.refunded": Template(Topic.PAYMENT, "Refund on its way", "We refunded {moved} of order {order_id}."),
    "payment.declined": Template(Topic.PAYMENT, "Payment declined", "The payment of order {order_id} was declined."),
    "payment.authorized": None,
    "payment.voided": None,
    "status.shipped": Template(Topic.FULFILLMENT, "Your order is on its way", "Order {order_id} was shipped."),
    "status.returned": Template(Topic.FULFILLMENT, "Your return arrived", "Order {order_id} came back to us."),
    "status.requested": None,
    "status.label_pending": None,
    "status.label_ready": None,
    "status.held": None,
    "status.cancelled": None,
    "case.opened": Template(Topic.SUPPORT, "We received your request", "Your case {case_id} is open."),
    "case.message_added": Template(Topic.SUPPORT, "News of your request", "There is a message in case {case_id}."),
    "case.attachment_added": None,
    "case.closed": Template(Topic.SUPPORT, "Your request is closed", "Case {case_id} is closed."),
    "order.created": None,
    "order.changed": None,
    "order.deleted": None,
    "order.paid": Template(Topic.ORDER, "Thank you for your order", "Order {order_id} is paid.", True),
    "order.cancelled": Template(Topic.ORDER, "Your order is cancelled", "Order {order_id} is cancelled."),
    "order.returned": None,  # told by status.returned and payment.refunded
}


class InvalidPayload(Exception):
    """The event cannot be read, or lacks a value that its message needs."""


class UnsupportedTopic(Exception):
    """The event's type is not in TEMPLATES."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A message that an event calls for. `customer_id` None: it goes to the customer of `order_id`."""

    event_id: uuid.UUID
    source: str
    topic: Topic
    subject: str
    body: str
    trace_id: str
    customer_id: int | None
    order_id: int | None
    told_by_receipt: bool = False


def read_event(source: str, value: bytes | None, news_since: float = 0.0) -> Wanted | None:
    """The message that an event calls for, None for no message. Raises: InvalidPayload, UnsupportedTopic.

    news_since: order events older than this (seconds since 1970) call for no message, whenever they arrive.
    """
    if source == CDC_TOPIC:
        # Most records of that topic are other tables' rows, and markers.
        if value is None or _ORDER_EVENTS_MARK not in value:
            return None
        return _of_order(_json(value), news_since)
    if value is None:
        raise InvalidPayload("no value")
    event = _json(value)
    data = event.get("data")
    if not isinstance(data, dict):
        raise InvalidPayload("data is no object")
    given = event.get("trace_id")
    trace_id = accept_trace_id(given if isinstance(given, str) else None)
    return _wanted(_uuid(event.get("event_id")), source, event.get("type"), data, trace_id)


def event_id_of(value: bytes | None) -> uuid.UUID | None:
    """The id of an event whose other parts cannot be read; None where it has no id."""
    try:
        return _uuid(_json(value or b"").get("event_id"))
    except InvalidPayload:
        return None


def _of_order(change: dict[str, Any], news_since: float) -> Wanted | None:
    """The message for a new row of order_events. Rows of a snapshot, and rows older than `news_since`, get none.

    The age matters because a repair that brings rows that the lake lacks (lake/capture/bridge.py) writes rows of any
    age just as a connector writes new ones, also rows of which a customer was told long ago.
    """
    origin, row = change.get("source"), change.get("after")
    if not isinstance(origin, dict) or origin.get("table") != "order_events" or change.get("op") != "c":
        return None
    if not isinstance(row, dict) or not isinstance(row.get("id"), int):
        raise InvalidPayload("a row of order_events without its id")
    if _seconds(row.get("at")) < news_since:
        return None
    event_id = uuid.uuid5(_ORDER_EVENT_IDS, str(row["id"]))
    # The row carries no trace id, so the request's trace ends here. A new one begins, which names the row and is the
    # same whenever the row is read.
    return _wanted(event_id, CDC_TOPIC, f"order.{row.get('type')}", row, f"order-event-{row['id']}")


def _wanted(event_id: uuid.UUID, source: str, type_: object, data: dict[str, Any], trace_id: str) -> Wanted | None:
    if not isinstance(type_, str):
        raise InvalidPayload("type is no text")
    if type_ not in TEMPLATES:
        raise UnsupportedTopic(f"{type_[:80]!r} of {source}")
    template = TEMPLATES[type_]
    if template is None:
        return None
    customer_id, order_id = _number(data, "customer_id"), _number(data, "order_id")
    if customer_id is None and order_id is None:
        raise InvalidPayload("neither customer_id nor order_id")
    if customer_id is not None and customer_id > MAX_CUSTOMER_ID:
        raise InvalidPayload("customer_id is beyond what JSON keeps exactly")
    try:
        # Numbers and short texts only, so that an event's data cannot turn the message into somebody else's mail.
        shown = {key: str(one)[:40] for key, one in data.items() if isinstance(one, str | int)}
        body = template.body.format_map(shown)
    except (KeyError, ValueError) as error:
        raise InvalidPayload(f"it lacks {error}") from error
    if "\x00" in body:
        raise InvalidPayload("a NUL character")
    return Wanted(
        *(event_id, source, template.topic, template.subject, body, trace_id, customer_id, order_id),
        told_by_receipt=template.told_by_receipt,
    )


def _json(value: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise InvalidPayload(f"not JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidPayload("no object")
    return found


def _uuid(given: object) -> uuid.UUID:
    try:
        return uuid.UUID(str(given))
    except ValueError as error:
        raise InvalidPayload("event_id is no UUID") from error


def _seconds(at: Any) -> float:
    """A row's time in seconds since 1970. A time that cannot be read counts as new: the message must not be lost."""
    try:
        return datetime.fromisoformat(at.removesuffix("Z")).replace(tzinfo=UTC).timestamp()
    except (AttributeError, ValueError):
        return float("inf")


def _number(data: dict[str, Any], name: str) -> int | None:
    found = data.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 1 <= found < 2**63:
        raise InvalidPayload(f"{name} is no number above 0")
    return found


def address_of(customer_id: int) -> str:
    """A customer's mail address. It is made from the id, because the shop keeps no address book."""
    return f"customer-{customer_id}@shop.example"
