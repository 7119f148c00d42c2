"""What events call for, event by event."""

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from lakeproof_shop.services.fulfillment.models import State
from lakeproof_shop.services.notification.incoming import (
    TEMPLATES,
    InvalidPayload,
    UnsupportedTopic,
    read_event,
)
from lakeproof_shop.services.notification.models import Topic
from lakeproof_shop.services.order import models as order_models
from lakeproof_shop.services.payment import models as payment_models
from lakeproof_shop.services.support import models as support_models

EVENT_ID = "0b0f9f5e-6d1c-4a3f-9a6f-1f6f0a5f2f10"


def event(type_: str, data: dict[str, Any], **more: Any) -> bytes:
    return orjson.dumps({"event_id": EVENT_ID, "type": type_, "trace_id": "t-1", "data": data} | more)


def order_event(op: str = "c", table: str = "order_events", **row: Any) -> bytes:
    after = {"id": 7, "order_id": 3, "version": 2, "type": "paid", "at": "2026-11-24T14:43:53.042722Z"} | row
    return orjson.dumps({"op": op, "source": {"table": table}, "before": None, "after": after})


def test_a_payment_says_whose_it_is() -> None:
    found = read_event(
        "events.payment", event("payment.refunded", {"order_id": 3, "customer_id": 5, "moved": "1.20"})
    )
    assert found is not None
    assert (found.event_id, found.customer_id, found.topic) == (uuid.UUID(EVENT_ID), 5, Topic.PAYMENT)
    assert found.body == "We refunded 1.20 of order 3."
    assert found.trace_id == "t-1"


def test_a_parcel_names_its_order_alone() -> None:
    found = read_event("events.fulfillment", event("status.shipped", {"order_id": 3, "fulfillment_id": 1}))
    assert found is not None
    assert (found.customer_id, found.order_id) == (None, 3)


def test_a_row_of_order_events_has_one_id_however_often_it_comes() -> None:
    first, again, other = (read_event("cdc.oltp", order_event(id=number)) for number in (7, 7, 8))
    assert first is not None and again is not None and other is not None
    assert first.event_id == again.event_id != other.event_id
    assert first.order_id == 3


@pytest.mark.parametrize(
    "value",
    [
        order_event(op="r"),
        order_event(table="orders"),
        order_event(type="created"),
        b'{"status": "BEGIN"}',
        b"not even JSON, but of another table",
        None,
    ],
)
def test_what_is_no_order_event_of_interest_calls_for_nothing(value: bytes | None) -> None:
    assert read_event("cdc.oltp", value) is None


@pytest.mark.parametrize(
    ("at", "is_told"),
    [
        ("2026-11-24T14:43:53.042722Z", True),
        ("2026-11-24T14:43:53Z", True),
        ("2026-11-24T14:43:52.999999Z", False),
        ("2019-01-01T00:00:00Z", False),
        ("no time", True),
        (1796120112345, True),  # a number where a text is declared; read as a text it is a day of 1796
        (None, True),
    ],
)
def test_an_order_event_of_before_is_no_news_whenever_it_comes(at: object, is_told: bool) -> None:
    """A bridge over a gap in the capture writes rows of any age as new ones."""
    since = datetime(2026, 11, 24, 14, 43, 53, tzinfo=UTC).timestamp()
    assert (read_event("cdc.oltp", order_event(at=at), since) is not None) == is_told


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"\xff\xfe",
        b"[]",
        event("status.shipped", {}),
        event("status.shipped", {"order_id": "3"}),
        event("status.shipped", {"order_id": True}),
        event("status.shipped", {"order_id": 0}),
        event("payment.captured", {"customer_id": 2**53, "order_id": 3, "moved": "1.00"}),
        event("payment.captured", {"customer_id": 5, "order_id": 3}),
        event("case.opened", {"customer_id": 5, "case_id": "\x00"}),
        event("status.shipped", {"order_id": 3}, event_id="7"),
        orjson.dumps({"event_id": EVENT_ID, "type": 5, "data": {}}),
        orjson.dumps({"event_id": EVENT_ID, "type": "status.shipped", "data": []}),
    ],
)
def test_poison_is_an_invalid_payload_and_nothing_worse(value: bytes | None) -> None:
    with pytest.raises(InvalidPayload):
        read_event("events.fulfillment", value)


def test_a_row_of_order_events_without_its_number_is_poison() -> None:
    with pytest.raises(InvalidPayload):
        read_event("cdc.oltp", order_event(id=None))


def test_an_event_that_nobody_knows_is_unsupported() -> None:
    with pytest.raises(UnsupportedTopic, match=r"weather\.changed"):
        read_event("events.support", event("weather.changed", {"customer_id": 5}))


def test_every_event_that_the_other_services_send_is_known() -> None:
    orders = {f"order.{op.event}" for op in order_models.Op}
    payments = {f"payment.{op.event}" for op in payment_models.Op} | {f"payment.{payment_models.DECLINED_EVENT}"}
    parcels = {f"status.{state.value}" for state in State} | {"status.held"}
    cases = {f"case.{op.event}" for op in support_models.Op}
    assert orders | payments | parcels | cases == TEMPLATES.keys()
