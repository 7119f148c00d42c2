"""Checkout over all the services and their real stores: a crash anywhere, a decline, an empty shelf, one trace."""

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest
from confluent_kafka import Consumer
from tests.engines.instances import Instance, instance
from tests.engines.slow_proxy import slow_proxy

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines import mysql
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof.stack.topics import EVENT_TOPICS
from lakeproof_shop.services.checkout.models import ENDS, Step, Undoing
from lakeproof_shop.services.fulfillment.label import READY

# The time of the first test includes the start of a ring of three, of Kafka and of six services.
pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

SERVICES = ("order-service", "payment-service", "inventory-service", "fulfillment-service", "notification-service")
ADDRESS = {"name": "A", "street": "1 Road", "city": "Hanoi", "postal_code": "100000", "country": "VN"}
QUICK = {"LAKEPROOF_CHECKOUT__HOLD_SECONDS": "4", "LAKEPROOF_CHECKOUT__SWEEP_SECONDS": "0.3"}
FORWARD = (Step.RESERVE, Step.ORDER, Step.AUTHORIZE, Step.CONFIRM, Step.CAPTURE, Step.PAY, Step.LABEL, Step.NOTIFY)
# What the services are asked in a purchase; each may die on it.
ASKED = {
    "payment-service": ("/payments", "/payments/{payment_id}/capture"),
    "inventory-service": ("/reservations", "/reservations/{reservation_id}/confirm"),
    "fulfillment-service": ("/fulfillments",),
    "notification-service": ("/notifications", "/notifications/{notification_id}/send"),
}
# And what undoes one: by service and route, with how the purchase is undone.
ASKED_TO_UNDO = (
    ("fulfillment-service", "/fulfillments/{fulfillment_id}/cancel", "cancel"),
    ("payment-service", "/payments/{payment_id}/refund", "cancel"),
    ("inventory-service", "/stock/{sku}/receive", "cancel"),
    ("fulfillment-service", "/fulfillments/{fulfillment_id}/return", "return"),
    ("payment-service", "/payments/{payment_id}/refund", "return"),
    ("inventory-service", "/stock/{sku}/receive", "return"),
)
# What is done before each end, and whether the parcel has to be shipped for it.
UNDOING = {"cancel": False, "return": True}
BACKWARD = (Step.VOID, Step.RELEASE, Step.CANCEL)


def in_proof_but[T](always: T, cases: Iterable[T]) -> list[Any]:
    """All cases for `make proof`, one of them for every `make test`."""
    return [case if case == always else pytest.param(case, marks=pytest.mark.proof) for case in cases]


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> Iterator[SupervisorClient]:
    with pytest.MonkeyPatch.context() as environment:
        for name, value in QUICK.items():
            environment.setenv(name, value)
        yield up(*SERVICES)


class Shop:
    """All services by HTTP."""

    def __init__(self, stack: Stack) -> None:
        self.at = {name: httpx.Client(base_url=stack.url(name), timeout=15.0, trust_env=False) for name in SERVICES}

    def stocked(self, quantity: int = 10) -> str:
        sku = f"sku-{uuid.uuid4().hex[:12]}"
        key = {"idempotency-key": f"in-{sku}"}
        answer = self.at["inventory-service"].post(f"/stock/{sku}/receive", json={"quantity": quantity}, headers=key)
        assert answer.status_code == 200, answer.text
        return sku

    def ended(self, key: str, seconds: float = 90.0) -> dict[str, Any]:
        """The checkout once nothing is left to do."""
        last: list[dict[str, Any]] = []

        def look() -> dict[str, Any] | None:
            try:
                answer = self.at["order-service"].get(f"/checkouts/{key}")
            except httpx.HTTPError:
                return None
            last[:] = [answer.json()]
            return last[0] if last[0].get("next_step") in ENDS else None

        return Deadline(seconds).wait_for(f"the end of {key}", look, seen=lambda: str(last))

    def undo(self, key: str, what: str, client: httpx.Client | None = None) -> httpx.Response:
        """What is asked of a purchase: cancel or return."""
        return (client or self.at["order-service"]).post(f"/checkouts/{key}/{what}")

    def parcels(self, order_id: int) -> list[dict[str, Any]]:
        found = self.at["fulfillment-service"].get("/fulfillments", params={"order_id": order_id})
        return list(found.json()["fulfillments"])

    def bought(self, sku: str, *, shipped: bool) -> dict[str, Any]:
        """A purchase that is over, its parcel shipped or held."""
        key = a_key()
        body = basket(sku) | {"keep_seconds": 0 if shipped else 3600}
        assert buy(self.at["order-service"], key, body).status_code in (201, 202)
        found = self.ended(key)
        assert found["status"] == "bought"
        if shipped:
            self.shipped(found["order_id"])
        return found

    def shipped(self, order_id: int) -> None:
        Deadline(60).wait_for(
            "a shipped parcel", lambda: [one["status"] for one in self.parcels(order_id)] == ["shipped"] or None
        )

    def require_undone(self, checkout: dict[str, Any], sku: str, total: str = "12.30") -> None:
        """Cancelled or returned: all money back, once; all goods back, once; the order and the parcel say so."""
        order_id, end = checkout["order_id"], checkout["status"]
        (payment,) = self.at["payment-service"].get("/payments", params={"order_id": order_id}).json()["payments"]
        assert (payment["status"], payment["captured"], payment["refunded"]) == ("refunded", total, total)
        assert self.at["order-service"].get(f"/orders/{order_id}").json()["status"] == end
        assert [one["status"] for one in self.parcels(order_id)] == [end]
        found = self.at["inventory-service"].get(f"/stock/{sku}").json()
        assert (found["received"], found["sold"], found["reserved"], found["on_hand"]) == (12, 2, 0, 10)

    def stock(self, sku: str) -> tuple[int, int, int]:
        """Sold, reserved, on hand."""
        found = self.at["inventory-service"].get(f"/stock/{sku}").json()
        return found["sold"], found["reserved"], found["on_hand"]

    def require_consistent(self, checkout: dict[str, Any], total: str = "12.30") -> None:
        """Bought: paid once, sent once. Failed: nothing is owed or held."""
        order_id = checkout["order_id"]
        payments, parcels, order = [], [], None
        if order_id is not None:
            query = {"order_id": order_id}
            payments = self.at["payment-service"].get("/payments", params=query).json()["payments"]
            parcels = self.at["fulfillment-service"].get("/fulfillments", params=query).json()["fulfillments"]
            order = self.at["order-service"].get(f"/orders/{order_id}").json()
        found = self.at["order-service"].get("/orders", params={"client_key": f"checkout:{checkout['key']}"})
        assert [one["id"] for one in found.json()["orders"]] == ([order_id] if order_id is not None else [])
        charged = sum((Decimal(one["captured"]) for one in payments), Decimal(0))
        if checkout["status"] == "bought":
            assert order is not None and order["status"] == "paid"
            assert (charged, len(parcels)) == (Decimal(total), 1)
            assert [one["status"] for one in payments if one["status"] != "declined"] == ["captured"]
        else:
            assert order is None or order["status"] == "cancelled"
            assert (charged, len(parcels)) == (Decimal(0), 0)
            assert [one for one in payments if one["status"] not in ("declined", "voided")] == []


@pytest.fixture
def shop(stack: Stack, supervisor: SupervisorClient) -> Iterator[Shop]:
    made = Shop(stack)
    yield made
    for client in made.at.values():
        client.close()


def basket(sku: str, *, card: str = "tok_visa", quantity: int = 2) -> dict[str, Any]:
    return {
        "customer_id": 5,
        "card": card,
        "address": ADDRESS,
        "email": "customer-5@example.org",
        "items": [{"sku": sku, "quantity": quantity, "unit_price": "6.15"}],
    }


def buy(client: httpx.Client, key: str, body: dict[str, Any]) -> httpx.Response:
    return client.post("/checkouts", json=body, headers={"idempotency-key": key})


def a_key() -> str:
    return uuid.uuid4().hex


def test_a_purchase_is_paid_once_and_sent_once_however_often_it_is_asked_for(shop: Shop) -> None:
    sku, key = shop.stocked(), a_key()
    assert buy(shop.at["order-service"], key, basket(sku)).status_code in (201, 202)
    first = shop.ended(key)
    assert first["status"] == "bought"
    again = buy(shop.at["order-service"], key, basket(sku))
    assert (again.status_code, again.json()["order_id"]) == (200, first["order_id"])
    assert buy(shop.at["order-service"], key, basket(sku, quantity=1)).status_code == 422
    shop.require_consistent(shop.ended(key))
    assert shop.stock(sku) == (2, 0, 8)


def test_one_trace_runs_from_the_buyers_request_to_logs_events_label_and_mails(stack: Stack, shop: Shop) -> None:
    trace, key = f"trace-{a_key()}", a_key()
    given = {"idempotency-key": key, "x-trace-id": trace}
    answer = shop.at["order-service"].post("/checkouts", json=basket(shop.stocked()), headers=given)
    assert answer.status_code in (201, 202) and answer.headers["x-trace-id"] == trace
    found = shop.ended(key)
    shop.shipped(found["order_id"])
    missing = set[str]()

    def look() -> bool | None:
        missing.clear()
        missing.update(name for name in SERVICES if f'"trace_id":"{trace}"' not in stack.log_path(name).read_text())
        missing.update({"Receipt", "Payment received", "Your order is on its way"})
        for to in ("customer-5@example.org", "customer-5@shop.example"):
            for mail in httpx.get(f"{stack.url('mail-sink')}/messages", params={"to": to}).json()["messages"]:
                if mail["trace_id"] == trace:
                    missing.difference_update({mail["subject"], mail["subject"].split(" ")[0]})
        return None if missing else True

    Deadline(60).wait_for("every log and mail", look, every=0.5, seen=lambda: f"without it: {sorted(missing)}")
    steps = [
        line["status"]
        for line in map(json.loads, stack.log_path("fulfillment-service").read_text().splitlines())
        if line["trace_id"] == trace and line["message"] == "a label went on"
    ]
    assert steps == ["label_pending", "label_ready", "shipped"]
    label = s3_client(stack).head_object(Bucket=LABEL_BUCKET, Key=f"{READY}{found['fulfillment_id']}")
    assert label["Metadata"]["trace-id"] == trace
    wanted = {
        "payment.authorized",
        "payment.captured",
        "status.shipped",
        "notification.sent",
        "reservation.confirmed",
    }
    assert traced_events(stack, trace, wanted) >= wanted


def traced_events(stack: Stack, trace: str, wanted: set[str]) -> set[str]:
    """The types of all services' events of that trace in Kafka, once the wanted ones are there, or time is over."""
    consumer = Consumer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "group.id": f"test-{a_key()}",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic.name for topic in EVENT_TOPICS])
    found: set[str] = set()
    deadline = Deadline(60)
    while not found >= wanted and not deadline.expired:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            event = json.loads(message.value() or b"{}")
            if event["trace_id"] == trace:
                found.add(event["type"])
    consumer.close()
    return found


def test_twenty_at_once_under_one_key_buy_once(shop: Shop) -> None:
    sku, key = shop.stocked(), a_key()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: buy(shop.at["order-service"], key, basket(sku)), range(20)))
    assert {answer.status_code for answer in answers} <= {200, 201, 202}
    shop.require_consistent(shop.ended(key))
    assert shop.stock(sku) == (2, 0, 8)


def test_a_checkouts_order_is_not_changed_by_another_way(shop: Shop) -> None:
    sku, key = shop.stocked(), a_key()
    orders = shop.at["order-service"]
    buy(orders, key, basket(sku))
    order_id = shop.ended(key)["order_id"]
    again = {"idempotency-key": a_key()}
    answers = [
        orders.post(f"/orders/{order_id}/cancel", headers=again),
        orders.delete(f"/orders/{order_id}", headers=again),
        orders.patch(f"/orders/{order_id}", headers=again, json={"items": basket(sku)["items"]}),
    ]
    assert [(one.status_code, one.json()["outcome"]) for one in answers] == [(409, "not_done")] * 3
    taken = {"client_key": f"checkout:{a_key()}", "customer_id": 5, "items": basket(sku)["items"]}
    assert orders.post("/orders", json=taken).status_code == 422
    shop.require_consistent(shop.ended(key))


def test_the_card_is_not_kept_longer_than_it_is_needed(stack: Stack, shop: Shop) -> None:
    keys = [a_key(), a_key()]
    buy(shop.at["order-service"], keys[0], basket(shop.stocked()))
    buy(shop.at["order-service"], keys[1], basket(shop.stocked(), card="tok_declined"))
    assert [shop.ended(key)["status"] for key in keys] == ["bought", "failed"]
    with mysql.connect(stack, "reader", "mysql-reader", 10) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT request FROM oltp.checkouts WHERE checkout_key IN (%s, %s)", keys)
        kept = [row[0] for row in cursor.fetchall()]
    assert len(kept) == 2 and not any("tok_" in one for one in kept)


def test_a_declined_card_leaves_nothing_held(shop: Shop) -> None:
    sku, key = shop.stocked(), a_key()
    answer = buy(shop.at["order-service"], key, basket(sku, card="tok_insufficient_funds"))
    assert answer.status_code in (402, 202), answer.text
    ended = shop.ended(key)
    assert (ended["status"], ended["reason"]) == ("failed", "insufficient_funds")
    shop.require_consistent(ended)
    assert shop.stock(sku) == (0, 0, 10)


def test_an_empty_shelf_makes_no_order(shop: Shop) -> None:
    sku, key = shop.stocked(1), a_key()
    answer = buy(shop.at["order-service"], key, basket(sku))
    assert answer.status_code in (409, 202), answer.text
    ended = shop.ended(key)
    assert (ended["status"], ended["reason"]) == ("failed", "out_of_stock")
    shop.require_consistent(ended)
    assert shop.stock(sku) == (0, 0, 1)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", in_proof_but(Step.CAPTURE, FORWARD))
def test_a_crash_at_a_step_of_a_purchase_is_mended(shop: Shop, step: Step, when: str) -> None:
    sku, key = shop.stocked(), a_key()
    crash = {**QUICK, "LAKEPROOF_CHECKOUT__CRASH_AT": f"{step.value}:{when}"}
    with instance("lakeproof_shop.services.order.app", crash) as crashing:
        with crashing.wait_until_healthy().client() as client, pytest.raises(httpx.HTTPError):
            buy(client, key, basket(sku))
        crashing.wait_for_its_death(-9)
    ended = shop.ended(key)
    assert ended["status"] == "bought"
    shop.require_consistent(ended)
    assert shop.stock(sku) == (2, 0, 8)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", in_proof_but(Step.RELEASE, BACKWARD))
def test_a_crash_while_it_is_turned_back_is_mended(shop: Shop, step: Step, when: str) -> None:
    sku, key = shop.stocked(), a_key()
    crash = {**QUICK, "LAKEPROOF_CHECKOUT__CRASH_AT": f"{step.value}:{when}"}
    with instance("lakeproof_shop.services.order.app", crash) as crashing:
        with crashing.wait_until_healthy().client() as client, pytest.raises(httpx.HTTPError):
            buy(client, key, basket(sku, card="tok_declined"))
        crashing.wait_for_its_death(-9)
    ended = shop.ended(key)
    assert ended["status"] == "failed"
    shop.require_consistent(ended)
    assert shop.stock(sku) == (0, 0, 10)


@pytest.mark.parametrize(("what", "shipped"), UNDOING.items())
def test_what_was_bought_is_undone_once_however_often_it_is_asked_for(shop: Shop, what: str, shipped: bool) -> None:
    sku = shop.stocked()
    key = shop.bought(sku, shipped=shipped)["key"]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: shop.undo(key, what), range(10)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    ended = shop.ended(key)
    assert ended["status"] == {"cancel": "cancelled", "return": "returned"}[what]
    assert shop.undo(key, what).json() == ended
    shop.require_undone(ended, sku)
    other = shop.undo(key, "return" if what == "cancel" else "cancel")
    assert (other.status_code, other.json()["outcome"]) == (409, "not_done")
    assert buy(shop.at["order-service"], key, basket(sku) | {"keep_seconds": 0 if shipped else 3600}).json() == ended


def test_what_is_shipped_cannot_be_cancelled_and_what_is_not_cannot_be_returned(shop: Shop) -> None:
    sku = shop.stocked()
    kept = shop.bought(sku, shipped=False)
    gone = shop.bought(sku, shipped=True)
    answers = [shop.undo(kept["key"], "return"), shop.undo(gone["key"], "cancel")]
    assert [(one.status_code, one.json()["error"]["code"]) for one in answers] == [(409, "not_allowed")] * 2
    shop.require_consistent(shop.ended(kept["key"]))
    shop.require_consistent(shop.ended(gone["key"]))
    for one, what, end in ((kept, "cancel", "cancelled"), (gone, "return", "returned")):
        assert shop.undo(one["key"], what).status_code in (200, 202)
        assert shop.ended(one["key"])["status"] == end
    assert shop.stock(sku) == (4, 0, 10)


def test_what_was_not_bought_cannot_be_undone(shop: Shop) -> None:
    sku, key = shop.stocked(), a_key()
    assert shop.undo(key, "cancel").status_code == 404
    buy(shop.at["order-service"], key, basket(sku, card="tok_declined"))
    assert shop.undo(shop.ended(key)["key"], "cancel").status_code == 409


def test_what_was_refunded_by_hand_is_not_refunded_again(shop: Shop) -> None:
    sku = shop.stocked()
    bought = shop.bought(sku, shipped=True)
    given = {"idempotency-key": a_key()}
    path = f"/payments/{bought['payment_id']}/refund"
    assert shop.at["payment-service"].post(path, headers=given).status_code == 200
    assert shop.undo(bought["key"], "return").status_code in (200, 202)
    shop.require_undone(shop.ended(bought["key"]), sku)


def stopped_before_the_capture(shop: Shop, key: str, sku: str) -> str:
    """The path of the payment of a checkout whose order service died before it took the money."""
    crash = {**QUICK, "LAKEPROOF_CHECKOUT__CRASH_AT": "capture:before"}
    with instance("lakeproof_shop.services.order.app", crash) as crashing:
        with crashing.wait_until_healthy().client() as client, pytest.raises(httpx.HTTPError):
            buy(client, key, basket(sku))
        crashing.wait_for_its_death(-9)
    return f"/payments/{shop.at['order-service'].get(f'/checkouts/{key}').json()['payment_id']}"


def test_what_was_captured_by_hand_is_bought(shop: Shop) -> None:
    sku, key = shop.stocked(), a_key()
    path, by_hand = stopped_before_the_capture(shop, key, sku), {"idempotency-key": a_key()}
    assert shop.at["payment-service"].post(f"{path}/capture", headers=by_hand).status_code == 200
    ended = shop.ended(key)
    assert ended["status"] == "bought"
    shop.require_consistent(ended)
    assert shop.stock(sku) == (2, 0, 8)


def test_what_was_captured_by_hand_in_part_is_given_back(shop: Shop) -> None:
    sku, key = shop.stocked(), a_key()
    path, by_hand = stopped_before_the_capture(shop, key, sku), {"idempotency-key": a_key()}
    payments = shop.at["payment-service"]
    assert payments.post(f"{path}/capture", json={"amount": "1.00"}, headers=by_hand).status_code == 200
    assert shop.ended(key)["status"] == "failed"
    left = payments.get(path).json()
    assert (left["status"], left["captured"], left["refunded"]) == ("refunded", "1.00", "1.00")
    assert shop.stock(sku)[1:] == (0, 10)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "step", in_proof_but(Step.REFUND, [step for undoing in Undoing for step in undoing.steps[:-1]])
)
def test_a_crash_while_it_is_undone_is_mended(shop: Shop, step: Step, when: str) -> None:
    sku = shop.stocked()
    what = next(undoing for undoing in Undoing if step in undoing.steps).value
    key = shop.bought(sku, shipped=UNDOING[what])["key"]
    crash = {**QUICK, "LAKEPROOF_CHECKOUT__CRASH_AT": f"{step.value}:{when}"}
    with instance("lakeproof_shop.services.order.app", crash) as crashing:
        with crashing.wait_until_healthy().client() as client, pytest.raises(httpx.HTTPError):
            shop.undo(key, what, client)
        crashing.wait_for_its_death(-9)
    ended = shop.ended(key)
    assert ended["status"] == {"cancel": "cancelled", "return": "returned"}[what]
    shop.require_undone(ended, sku)


@contextlib.contextmanager
def an_order_service_whose(name: str, crash_at: str) -> Iterator[tuple[httpx.Client, Instance]]:
    """An order service that asks an instance of `name` which dies at that place. The stack's own services live on:
    their sweeper goes on with what these two leave behind.
    """
    module = f"lakeproof_shop.services.{name.removesuffix('-service')}.app"
    with instance(module, {"LAKEPROOF_SHOP__CRASH_AT": crash_at}) as dying:
        dying.wait_until_healthy()
        at = json.dumps({name: {"http": dying.url.removeprefix("http://")}})
        with (
            instance("lakeproof_shop.services.order.app", QUICK | {"LAKEPROOF_ENDPOINTS": at}) as orders,
            orders.wait_until_healthy().client() as client,
        ):
            yield client, dying


@pytest.mark.proof
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("name", "route"), [(name, route) for name, routes in ASKED.items() for route in routes])
def test_a_service_that_dies_in_its_step_of_a_purchase_is_asked_again(
    shop: Shop, name: str, route: str, when: str
) -> None:
    sku, key = shop.stocked(), a_key()
    with an_order_service_whose(name, f"{when} POST {route}") as (client, dying):
        assert buy(client, key, basket(sku)).status_code in (201, 202)
        dying.wait_for_its_death(-9)
    ended = shop.ended(key)
    assert ended["status"] == "bought"
    shop.require_consistent(ended)
    assert shop.stock(sku) == (2, 0, 8)


@pytest.mark.proof
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_inventory_that_dies_while_a_failed_purchase_is_released_is_asked_again(shop: Shop, when: str) -> None:
    sku, key = shop.stocked(), a_key()
    place = f"{when} POST /reservations/{{reservation_id}}/release"
    with an_order_service_whose("inventory-service", place) as (client, dying):
        assert buy(client, key, basket(sku, card="tok_declined")).status_code in (202, 402)
        dying.wait_for_its_death(-9)
    ended = shop.ended(key)
    assert ended["status"] == "failed"
    shop.require_consistent(ended)
    assert shop.stock(sku) == (0, 0, 10)


@pytest.mark.proof
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_payment_service_that_dies_while_a_failed_purchase_is_voided_is_asked_again(shop: Shop, when: str) -> None:
    sku, key = shop.stocked(), a_key()
    place = f"{when} POST /payments/{{payment_id}}/void"
    with contextlib.ExitStack() as running:
        crashing = {"LAKEPROOF_SHOP__CRASH_AT": place}
        dying = running.enter_context(instance("lakeproof_shop.services.payment.app", crashing))
        dying.wait_until_healthy()
        # While its late answer travels the reservation is given back by hand: so it is not confirmed, and voided.
        port = running.enter_context(slow_proxy("127.0.0.1", int(dying.url.rsplit(":", 1)[1]), seconds=1.0))
        at = json.dumps({"payment-service": {"http": f"127.0.0.1:{port}"}})
        quick = QUICK | {"LAKEPROOF_ENDPOINTS": at}
        orders = running.enter_context(instance("lakeproof_shop.services.order.app", quick))
        client = running.enter_context(orders.wait_until_healthy().client())
        pool = running.enter_context(ThreadPoolExecutor(1))
        answer = pool.submit(buy, client, key, basket(sku))
        release_what_is_held_for(shop, key)
        dying.wait_for_its_death(-9)
        answer.result()
    ended = shop.ended(key)
    assert ended["status"] == "failed"
    shop.require_consistent(ended)
    assert shop.stock(sku) == (0, 0, 10)


def release_what_is_held_for(shop: Shop, key: str) -> None:
    """Once its payment is being authorized."""

    def look() -> str | None:
        answer = shop.at["order-service"].get(f"/checkouts/{key}")
        found = answer.json() if answer.status_code == 200 else {}
        return found["reservation_id"] if found.get("next_step") == Step.AUTHORIZE else None

    held = Deadline(20).wait_for("a reservation", look, every=0.02)
    path, given = f"/reservations/{held}/release", {"idempotency-key": a_key()}
    assert shop.at["inventory-service"].post(path, headers=given).status_code == 200


@pytest.mark.proof
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("name", "route", "what"), ASKED_TO_UNDO)
def test_a_service_that_dies_while_a_purchase_is_undone_is_asked_again(
    shop: Shop, name: str, route: str, what: str, when: str
) -> None:
    sku = shop.stocked()
    key = shop.bought(sku, shipped=UNDOING[what])["key"]
    with an_order_service_whose(name, f"{when} POST {route}") as (client, dying):
        assert shop.undo(key, what, client).status_code in (200, 202)
        dying.wait_for_its_death(-9)
    ended = shop.ended(key)
    assert ended["status"] == {"cancel": "cancelled", "return": "returned"}[what]
    shop.require_undone(ended, sku)


@pytest.mark.proof
@pytest.mark.parametrize("trouble", ["down", "slow"])
@pytest.mark.parametrize("name", SERVICES[1:])
def test_a_service_that_is_away_or_takes_five_seconds_makes_no_purchase_hang_or_cost_twice(
    stack: Stack, shop: Shop, name: str, trouble: str
) -> None:
    sku, key = shop.stocked(), a_key()
    with contextlib.ExitStack() as running:
        address = "127.0.0.1:9"
        if trouble == "slow":
            address = f"127.0.0.1:{running.enter_context(slow_proxy(*stack.host_port(name, 'http'), seconds=5.0))}"
        given = {**QUICK, "LAKEPROOF_ENDPOINTS": json.dumps({name: {"http": address}})}
        with (
            running.enter_context(instance("lakeproof_shop.services.order.app", given))
            .wait_until_healthy()
            .client() as client
        ):
            started = time.monotonic()
            answer = buy(client, key, basket(sku))
            seconds = time.monotonic() - started
    assert seconds < stack.settings.shop.request_seconds + 1.0
    # Once the money is taken it is bought, and what is left follows.
    paid = name in ("fulfillment-service", "notification-service")
    assert (answer.status_code, answer.json()["status"]) == ((201, "bought") if paid else (202, "under_way"))
    ended = shop.ended(key)  # another instance's sweeper goes on, with services that answer
    assert (ended["status"], ended["next_step"]) == ("bought", "done")
    shop.require_consistent(ended)
    assert shop.stock(sku) == (2, 0, 8)


@pytest.mark.parametrize("killed", in_proof_but("payment-service", SERVICES))
def test_kill_9_of_a_service_under_purchases_charges_nobody_twice_or_for_nothing(
    shop: Shop, supervisor: SupervisorClient, killed: str
) -> None:
    sku = shop.stocked(1000)
    keys = [a_key() for _ in range(30)]

    def one(number: int) -> None:
        if number == 10:
            supervisor.kill(killed, "KILL")
        with contextlib.suppress(httpx.HTTPError):  # lost on the way there or back: below it is asked for again
            buy(shop.at["order-service"], keys[number], basket(sku))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(one, range(len(keys))))
    supervisor.up([killed])
    for key in keys:
        buy(shop.at["order-service"], key, basket(sku))
    ends = [shop.ended(key) for key in keys]
    for end in ends:
        shop.require_consistent(end)
    bought = sum(end["status"] == "bought" for end in ends)
    assert bought == len(keys), [end for end in ends if end["status"] != "bought"][:3]
    assert shop.stock(sku) == (2 * bought, 0, 1000 - 2 * bought)
