"""Buyers do all of it on the real services, every claim about the shop holds, and each goes red by hand."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from confluent_kafka import Producer, TopicPartition
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof.probes import kafka
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.engines import cassandra_session, mysql
from lakeproof.stack.engines.cassandra_roles import SUPERUSER, SUPERUSER_SECRET
from lakeproof.stack.object_store import LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers import purchases, traffic
from lakeproof_shop.customers.shoppers.report import TrafficReport
from lakeproof_shop.customers.shoppers.traffic import of_stack, serve_in_new_loop
from lakeproof_shop.proof.claims import reading_acts, reading_deliveries, reading_service
from lakeproof_shop.proof.claims.catalog import CLAIMS
from lakeproof_shop.proof.claims.facts import Store
from lakeproof_shop.proof.claims.looking import ShopReport, look
from lakeproof_shop.proof.claims.reading_deliveries import read_deliveries
from lakeproof_shop.proof.claims.reading_labels import read_labels

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(900)]

SERVICES = (
    *("order-service", "payment-service", "inventory-service", "fulfillment-service", "notification-service"),
    *("support-service",),
)
# Few purchases, of which many are more than a purchase: a busy machine has to get through them.
SECONDS, PURCHASES, SETTLE_SECONDS = 50.0, 0.7, 240.0
SHARES = {"CANCEL": 0.3, "RETURN": 0.3, "COMPLAIN": 0.5, "OPT_OUT": 0.5}


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(*SERVICES)


@pytest.fixture(scope="module")
def report(stack: Stack, supervisor: SupervisorClient) -> TrafficReport:
    with pytest.MonkeyPatch.context() as patched:
        for name, share in SHARES.items():
            patched.setattr(purchases, name, share)
        patched.setattr(traffic, "SETTLE_LIMIT_SECONDS", SETTLE_SECONDS)
        return serve_in_new_loop(of_stack(stack, 1.0, 7, purchase_rate=PURCHASES), SECONDS)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_acts, "ACT_SECONDS", 5.0)


def test_shoppers_do_all_of_it_and_every_claim_holds(stack: Stack, report: TrafficReport) -> None:
    counts = report.counts
    did = [
        *(counts.bought, counts.cancelled, counts.returned, counts.complaints, counts.attachments),
        *(counts.opt_outs, counts.opt_ins, counts.browsed),
    ]
    assert all(did), counts
    assert (counts.open_calls, counts.mismatched) == (0, 0), (counts, report.refusals)
    found = look(stack)
    assert (found.unknown, found.oversold, {name: one.keys for name, one in found.claims.items() if one.keys}) == (
        (),
        0,
        {},
    )
    assert set(found.claims) == set(CLAIMS)


def changed(stack: Stack, schema: str, statement: str) -> None:
    """One change by hand, in a service's schema of PostgreSQL or, as oltp, in MariaDB."""
    if schema == "oltp":
        with mysql.connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
            assert cursor.execute(statement) > 0
            connection.commit()
        return

    with postgres_session.connection(stack, "postgres", "postgres-root", 10.0, "shop", schema) as session:
        assert session.execute(statement.encode()).rowcount > 0


BY_HAND = {
    "no parcel waits": (
        "fulfillment",
        "UPDATE fulfillments SET status = 'requested', requested_at = requested_at - interval '1 hour'"
        # Not one that the worker is still busy with, and not one that a shopper held: that is late from its hold on.
        " WHERE id = (SELECT min(f.id) FROM fulfillments f WHERE f.status = 'shipped' AND NOT f.has_work"
        " AND f.hold_until IS NULL AND NOT EXISTS (SELECT 1 FROM fulfillment_events e"
        " WHERE e.fulfillment_id = f.id AND e.type = 'held'))",
        "UPDATE fulfillments SET status = 'shipped', requested_at = requested_at + interval '1 hour'"
        " WHERE status = 'requested' AND NOT has_work",
    ),
    "where its newest event says": (
        "fulfillment",
        "UPDATE fulfillments SET version = version + 1 WHERE id = (SELECT min(id) FROM fulfillments)",
        "UPDATE fulfillments SET version = version - 1 WHERE id = (SELECT min(id) FROM fulfillments)",
    ),
    "in Kafka's topics": (
        "payment",
        "INSERT INTO outbox (event_id, aggregate, aggregate_id, type, payload, trace_id, sent_at)"
        " VALUES (gen_random_uuid(), 'payment', '1', 'by.hand', '{}', 'by hand', clock_timestamp())",
        "DELETE FROM outbox WHERE type = 'by.hand'",
    ),
    "tells of every change": (
        "support",
        "INSERT INTO case_events (case_id, version, type, at)"
        " SELECT max(id), 998, 'closed', clock_timestamp() FROM cases",
        "DELETE FROM case_events WHERE version = 998",
    ),
    "what was uploaded": (
        "support",
        "UPDATE case_attachments SET sha256 = 'x' || sha256 WHERE id = (SELECT max(id) FROM case_attachments)",
        "UPDATE case_attachments SET sha256 = substr(sha256, 2) WHERE sha256 LIKE 'x%'",
    ),
    "acted on": (
        "notification",
        "UPDATE consumed_events SET dropped = 'by hand' WHERE source = 'events.payment' AND dropped IS NULL",
        "UPDATE consumed_events SET dropped = NULL WHERE dropped = 'by hand'",
    ),
    "has one case": (
        "support",
        "UPDATE case_messages SET body = body || '!' WHERE body LIKE '%:complaint:%'",
        "UPDATE case_messages SET body = rtrim(body, '!') WHERE body LIKE '%:complaint:%'",
    ),
    "opted out": (
        "notification",
        """UPDATE preferences SET opted_out = opted_out || '["test/email"]'::jsonb""",
        """UPDATE preferences SET opted_out = opted_out - 'test/email'""",
    ),
    "captured money": (
        "oltp",
        "UPDATE oltp.orders SET status = 'paid' WHERE status = 'returned'",
        "UPDATE oltp.orders o JOIN oltp.checkouts c ON c.order_id = o.id SET o.status = 'returned'"
        " WHERE c.step = 'returned'",
    ),
    "is sent, once": (
        "fulfillment",
        "UPDATE fulfillments SET status = 'shipped' WHERE status = 'returned'",
        "UPDATE fulfillments f SET status = 'returned' WHERE EXISTS (SELECT 1 FROM fulfillment_events e"
        " WHERE e.fulfillment_id = f.id AND e.type = 'returned')",
    ),
    "on the shelf again": (
        "oltp",
        "UPDATE oltp.checkouts SET step = 'returned' WHERE step = 'done' LIMIT 1",
        "UPDATE oltp.checkouts c JOIN oltp.orders o ON o.id = c.order_id SET c.step = 'done'"
        " WHERE c.step = 'returned' AND o.status = 'paid'",
    ),
}


@pytest.fixture(params=BY_HAND)
def broken_by_hand(request: pytest.FixtureRequest, stack: Stack, report: TrafficReport) -> Iterator[str]:
    schema, breaking, mending = BY_HAND[request.param]
    changed(stack, schema, breaking)
    yield request.param
    changed(stack, schema, mending)


def test_a_claim_goes_red_by_hand(stack: Stack, broken_by_hand: str) -> None:
    assert is_red(stack, broken_by_hand)


def is_red(stack: Stack, claim: str) -> list[str]:
    """What breaks that claim now."""
    found = look(stack, settle_seconds=2.0)
    assert found.unknown == ()
    red = {name: list(one.keys) for name, one in found.claims.items() if one.keys}
    return next((broken for name, broken in red.items() if claim in name), [])


def test_money_that_is_kept_for_an_order_that_nobody_placed_goes_red(stack: Stack, report: TrafficReport) -> None:
    with httpx.Client(base_url=stack.url("payment-service"), timeout=30.0, trust_env=False) as payments:

        def post(path: str, key: str, **body: object) -> int:
            answer = payments.post(path, json=body or None, headers={"Idempotency-Key": f"by-hand:{key}"})
            assert answer.is_success, answer.text
            return int(answer.json()["id"])

        id_ = post("/payments", "authorize", order_id=999_999, customer_id=7, amount="50.00", card="tok_visa")
        assert is_red(stack, "captured money") == []
        post(f"/payments/{id_}/capture", "capture")
        assert is_red(stack, "captured money") == [
            f"payment {id_}: 50.00 kept for order 999999, which no checkout made"
        ]
        post(f"/payments/{id_}/refund", "refund")
        assert is_red(stack, "captured money") == []


def test_a_label_that_is_gone_or_cut_off_goes_red(stack: Stack, report: TrafficReport) -> None:
    store = s3_client(stack)
    key = max(read_labels(stack))
    body = store.get_object(Bucket=LABEL_BUCKET, Key=key)["Body"].read()
    for worse in (None, body[:-1]):
        store.delete_object(Bucket=LABEL_BUCKET, Key=key)
        if worse is not None:
            store.put_object(Bucket=LABEL_BUCKET, Key=key, Body=worse)
        (word,) = is_red(stack, "has its label")
        assert key in word
    store.put_object(Bucket=LABEL_BUCKET, Key=key, Body=body)
    assert is_red(stack, "has its label") == []


def test_a_parcel_whose_hold_was_called_off_just_now_is_not_late(stack: Stack, report: TrafficReport) -> None:
    schema, asked_an_hour_ago, mending = BY_HAND["no parcel waits"]
    changed(stack, schema, asked_an_hour_ago)
    try:
        assert is_red(stack, "no parcel waits")
        changed(
            stack,
            schema,
            "INSERT INTO fulfillment_events (fulfillment_id, version, type, at)"
            " SELECT id, 999, 'held', clock_timestamp() FROM fulfillments"
            " WHERE status = 'requested' AND NOT has_work",
        )
        red = is_red(stack, "no parcel waits")
        changed(stack, schema, "DELETE FROM fulfillment_events WHERE version = 999")
    finally:
        changed(stack, schema, mending)
    assert red == []


def test_a_line_that_is_held_past_its_time_goes_red(stack: Stack, report: TrafficReport) -> None:
    with cassandra_session.session(stack, SUPERUSER, stack.secret(SUPERUSER_SECRET), seconds=30.0) as ring:
        sku = ring.execute("SELECT DISTINCT sku FROM inventory.stock").one()[0]
        row = (sku, UUID(int=7))
        # The sweeper learns of lines by their row of kind 'due', which this one has not.
        ring.execute(
            "INSERT INTO inventory.stock (sku, kind, n, id, state, quantity, expires_at)"
            " VALUES (%s, 'line', 0, %s, 'held', 1, %s)",
            (*row, datetime.now(UTC) - timedelta(seconds=300)),
        )
        (word,) = is_red(stack, "held past its time")
        assert f"line {UUID(int=7)}/{sku}: 1 units" in word
        ring.execute("DELETE FROM inventory.stock WHERE sku = %s AND kind = 'line' AND n = 0 AND id = %s", row)
    assert is_red(stack, "held past its time") == []


def test_young_stock_whose_receipt_is_gone_goes_red_and_old_stock_does_not(
    stack: Stack, report: TrafficReport
) -> None:
    sku = f"by-hand-{uuid4().hex[:8]}"
    with httpx.Client(base_url=stack.url("inventory-service"), timeout=30.0, trust_env=False) as inventory:
        answer = inventory.post(f"/stock/{sku}/receive", json={"quantity": 100}, headers={"Idempotency-Key": sku})
        assert answer.is_success, answer.text
    with cassandra_session.session(stack, SUPERUSER, stack.secret(SUPERUSER_SECRET), seconds=30.0) as ring:
        ring.execute("DELETE FROM inventory.stock WHERE sku = %s AND kind = 'receipt'", (sku,))
        assert is_red(stack, "never below zero") == [f"{sku}: 0 units in lines that are received, 100 in its totals"]
        # As its TTL does it a week later; the receipt's own ends a day after that.
        ring.execute("DELETE FROM inventory.stock WHERE sku = %s AND kind = 'event' AND n = 1", (sku,))
    assert is_red(stack, "never below zero") == []


def test_a_timeline_that_lacks_what_its_source_does_not_tell_goes_red(
    stack: Stack, supervisor: SupervisorClient, report: TrafficReport, answering: Answering
) -> None:
    silent = f"http://{answering(lambda *_: (200, {'payments': []}))}"
    supervisor.stop("support-service")
    supervisor.start("support-service", variables={"SERVICE_PAYMENT_SERVICE_URL": silent})
    try:
        # What was kept before is served for two seconds more, and right.
        Deadline(60).wait_for("a timeline to be red", lambda: is_red(stack, "timelines are whole") or None)
    finally:
        supervisor.stop("support-service")
        supervisor.start("support-service", variables={})


def test_afterwards_every_claim_holds_again(stack: Stack, report: TrafficReport) -> None:
    found = look(stack)
    assert {name: one.keys for name, one in found.claims.items() if one.keys} == {}


IN_KAFKA = "shop: events that count as sent are in Kafka's topics"
BOTH = frozenset({Store.SHOP, Store.STOCK})


def asked_for(found: ShopReport) -> tuple[int, str]:
    return found.claims[IN_KAFKA].judged or 0, found.claims[IN_KAFKA].aside


def test_events_of_every_service_are_asked_for_also_in_a_topic_of_a_hundred_thousand(
    stack: Stack, report: TrafficReport
) -> None:
    before = time.monotonic()
    facts = read_deliveries(stack, BOTH, 3)
    seconds = time.monotonic() - before
    assert all(one.asked and not (one.missing or one.gone or one.beyond) for one in facts), facts
    producer = Producer({"bootstrap.servers": stack.address("kafka", "tcp"), "linger.ms": 20, "log_level": 0})
    for number in range(100_000):
        # Nobody consumes inventory's.
        value = b'{"event_id":"%s","type":"by.hand","data":"%s"}' % (str(uuid4()).encode(), b"x" * 250)
        producer.produce("events.inventory", value, str(number % 50).encode())
        producer.poll(0)
    assert producer.flush(60) == 0
    before = time.monotonic()
    assert read_deliveries(stack, BOTH, 3) == facts
    more = time.monotonic() - before
    print(f"events' topics: {seconds:.2f} s, with 100,000 more {more:.2f} s")
    assert more < 20.0


def test_what_is_deleted_from_a_topic_is_missing_until_it_is_older_than_the_topic_keeps(
    stack: Stack, report: TrafficReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, aside = asked_for(look(stack))
    assert count > 0 and aside == ""
    client = kafka.admin(stack)
    ends = client.delete_records([TopicPartition("events.support", number, -1) for number in range(3)])
    for each in ends.values():
        each.result(timeout=30)
    red = is_red(stack, IN_KAFKA)
    assert red and all("marked as sent by support" in word for word in red)
    monkeypatch.setattr(reading_deliveries, "EVENTS_KEPT_SECONDS", 0)
    found = look(stack)
    assert not found.claims[IN_KAFKA].keys and not found.unknown
    fewer, aside = asked_for(found)
    assert fewer < count and aside.endswith("more are of a time that their topic does not keep any more")


def test_timelines_are_of_the_newest_cases_and_of_others_by_the_seed(
    stack: Stack, report: TrafficReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_service, "NEWEST_TIMELINES", 2)
    monkeypatch.setattr(reading_service, "OTHER_TIMELINES", 1)

    def cases(seed: int) -> tuple[int, list[int]]:
        facts = reading_service.read_timelines(stack, seed)
        return facts["cases"], [one.case_id for one in facts["timelines"]]

    seen = [cases(seed) for seed in (*range(12), 0)]
    of_all, first = seen[0]
    assert of_all > 3 and seen[-1] == seen[0]
    assert {tuple(sorted(ids)[1:]) for _, ids in seen} == {tuple(sorted(first)[1:])}
    assert len({min(ids) for _, ids in seen}) > 1
