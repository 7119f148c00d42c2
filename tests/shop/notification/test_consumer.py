"""Records become notifications, or a reason that is written down. No engine."""

import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof.stack.topics import CDC_TOPIC
from lakeproof_shop.services.notification.consumer import DAY_SECONDS, EventReader
from lakeproof_shop.services.notification.customers import Customers, NobodyAnswers, Owner
from lakeproof_shop.services.notification.event_store import Addressed, Dropped, EventStore
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import DropReason
from lakeproof_shop.serving.event_consumer import Record

ID = uuid.UUID(int=7)


class Written(EventStore):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.taken, self.dropped = list[Addressed](), list[Dropped]()

    async def take(self, events: Sequence[Addressed], deadline: Deadline) -> int:
        self.taken += events
        return len(events)

    async def drop(self, events: Sequence[Dropped], deadline: Deadline) -> None:
        self.dropped += events


class Known(Customers):
    """Orders 1 (of the API) and 2 (of the checkout); no other."""

    def __init__(self) -> None:
        pass

    async def of_order(self, order_id: int) -> Owner | DropReason:
        return {1: Owner(5, False), 2: Owner(6, True)}.get(order_id, DropReason.ORDER_GONE)


def event(type_: str, **data: Any) -> Record:
    body = {"event_id": str(ID), "type": type_, "trace_id": "t", "data": data}
    return Record("events.fulfillment", 0, 0, orjson.dumps(body))


def order_paid(order_id: int, seconds_ago: float = 0.0) -> Record:
    at = datetime.fromtimestamp(time.time() - seconds_ago, UTC).isoformat().replace("+00:00", "Z")
    row = {"id": order_id, "order_id": order_id, "version": 2, "type": "paid", "at": at}
    change = {"source": {"table": "order_events"}, "op": "c", "after": row}
    return Record(CDC_TOPIC, 0, 0, orjson.dumps(change))


async def taken(*records: Record, first_read_ago: float = 100 * DAY_SECONDS) -> Written:
    store = Written()
    reader = EventReader(store, Known(), NotificationMetrics(), lambda: None)
    reader.begin({CDC_TOPIC: time.time() - first_read_ago})
    await reader.take(records)
    return store


async def test_an_event_is_told_to_the_orders_customer() -> None:
    store = await taken(event("status.shipped", order_id=1))
    assert ([one.customer_id for one in store.taken], store.dropped) == ([5], [])


async def test_a_purchase_at_the_checkout_is_told_by_its_receipt_alone() -> None:
    store = await taken(order_paid(1), order_paid(2), event("status.shipped", order_id=2))
    assert [(one.customer_id, one.wanted.subject) for one in store.taken] == [
        (5, "Thank you for your order"),
        (6, "Your order is on its way"),
    ]


async def test_an_order_event_is_old_news_once_nobody_knows_any_more_whether_it_was_taken() -> None:
    """A bridge over a gap in the capture brings it as a new row, however old it is."""
    store = await taken(order_paid(1, 8.1 * DAY_SECONDS))
    assert (store.taken, store.dropped) == ([], [])
    store = await taken(order_paid(1, 7.9 * DAY_SECONDS))
    assert [one.wanted.subject for one in store.taken] == ["Thank you for your order"]


async def test_an_order_event_of_before_the_service_first_read_is_told_to_nobody() -> None:
    store = await taken(order_paid(1, 60), first_read_ago=30)
    assert (store.taken, store.dropped) == ([], [])
    store = await taken(order_paid(1, 60), first_read_ago=90)
    assert len(store.taken) == 1


async def test_why_nobody_is_told_is_written_down() -> None:
    store = await taken(
        event("status.shipped", order_id=9),
        event("status.invented", order_id=1),
        event("status.shipped"),
        Record("events.fulfillment", 0, 3, b"rubbish"),
    )
    assert store.taken == []
    # After an outage of capture a customer may have deleted the order meanwhile; nothing was unreadable then.
    assert sorted(one.reason.value for one in store.dropped) == ["invalid_payload", "order_gone", "unsupported_topic"]
    assert {one.event_id for one in store.dropped} == {ID}


@pytest.mark.parametrize(
    ("status", "body"), [(200, {}), (200, {"customer_id": None, "client_key": "k"}), (200, []), (500, {})]
)
async def test_an_answer_without_a_customer_is_no_order_that_is_gone(
    answering: Answering, status: int, body: object
) -> None:
    """Else its event would be passed over for good."""
    customers = Customers(f"http://{answering(lambda *_: (status, body))}", 5.0)
    with pytest.raises(NobodyAnswers):
        await customers.of_order(1)
    assert customers.problem
    await customers.close()


@pytest.mark.parametrize(("status", "reason"), [(404, DropReason.INVALID_PAYLOAD), (410, DropReason.ORDER_GONE)])
async def test_an_order_that_is_gone_has_nobody_and_one_that_never_was_is_a_wrong_event(
    answering: Answering, status: int, reason: DropReason
) -> None:
    customers = Customers(f"http://{answering(lambda *_: (status, {}))}", 5.0)
    assert (await customers.of_order(1), customers.problem) == (reason, "")
    await customers.close()
