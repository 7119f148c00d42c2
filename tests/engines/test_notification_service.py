"""The notification service on real PostgreSQL, Redis and mail sink: each notification is delivered once."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.postgres_session import connection
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.notification import store

from .instances import Instance, instance
from .notifications import (
    FAILED,
    MODULE,
    NAME,
    a_customer,
    a_notification,
    await_status,
    created,
    delivered,
    metric,
    opened_shop,
    rows,
)

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(NAME)


@pytest.fixture
def shop(stack: Stack, supervisor: SupervisorClient) -> Iterator[httpx.Client]:
    with opened_shop(stack) as client:
        yield client


@pytest.mark.parametrize("channel", ["email", "webhook"])
def test_what_is_sent_arrives_once_and_a_second_send_is_answered_as_it_is(
    stack: Stack, shop: httpx.Client, channel: str
) -> None:
    made = created(shop, channel=channel)
    first, second = (shop.post(f"/notifications/{made}/send") for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert first.json() == second.json()
    assert first.json()["status"] == "sent"
    (message,) = delivered(stack, made)
    assert (message["subject"], message["body"], message["repeats"]) == ("Grüße", "Text", 0)
    assert rows(stack, "SELECT type FROM outbox WHERE aggregate_id = $1 ORDER BY id", made) == [
        ("notification.created",),
        ("notification.sent",),
    ]


def test_twenty_creates_of_one_key_at_once_are_one_and_another_request_is_refused(
    stack: Stack, shop: httpx.Client
) -> None:
    body = a_notification()

    async def race() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=stack.url(NAME), timeout=20.0) as client:
            return await asyncio.gather(*(client.post("/notifications", json=body) for _ in range(20)))

    answers = asyncio.run(race())
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = shop.post("/notifications", json=body | {"body": "Another"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "key_reused")


def test_a_failed_one_is_counted_once_and_may_still_be_sent(stack: Stack, shop: httpx.Client) -> None:
    made, before = created(shop), metric(stack, FAILED)
    for _ in range(2):
        answer = shop.post(f"/notifications/{made}/fail", json={"reason": "the provider complained"})
        assert (answer.status_code, answer.json()["reason"]) == (200, "the provider complained")
    assert metric(stack, FAILED) == before + 1
    assert shop.post(f"/notifications/{made}/send").json()["status"] == "sent"
    assert shop.post(f"/notifications/{made}/fail").status_code == 409


def test_a_key_of_a_change_acts_once_and_is_refused_for_another(stack: Stack, shop: httpx.Client) -> None:
    one, other, key = created(shop), created(shop), {"idempotency-key": f"test-{uuid.uuid4().hex}"}
    assert shop.post(f"/notifications/{one}/fail", headers=key).status_code == 200
    assert shop.post(f"/notifications/{one}/send").status_code == 200
    again = shop.post(f"/notifications/{one}/fail", headers=key)
    assert (again.status_code, again.json()["status"]) == (200, "sent")
    for path in (f"/notifications/{other}/fail", f"/notifications/{other}/send"):
        assert shop.post(path, headers=key).status_code == 422


def test_what_is_not_there_is_not_found(shop: httpx.Client) -> None:
    for path in ("", "/send", "/fail"):
        answer = shop.request("POST" if path else "GET", f"/notifications/{uuid.uuid4()}{path}")
        assert (answer.status_code, answer.json()["outcome"]) == (404, "not_done")
    assert shop.get(f"/notifications/batches/{uuid.uuid4()}").status_code == 404


@pytest.fixture
def second(stack: Stack, supervisor: SupervisorClient) -> Iterator[Instance]:
    with instance(MODULE) as made:
        yield made.wait_until_healthy()


def test_fifty_messages_and_two_racing_senders_are_fifty_deliveries(
    stack: Stack, shop: httpx.Client, second: Instance
) -> None:
    made = [created(shop) for _ in range(50)]

    async def race() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=20.0, trust_env=False) as client:
            urls = [f"{base}/notifications/{one}/send" for one in made for base in (stack.url(NAME), second.url)]
            return await asyncio.gather(*(client.post(url) for url in urls))

    answers = asyncio.run(race())
    assert {answer.status_code for answer in answers} <= {200, 409}
    for one in made:
        assert await_status(shop, one, "sent")["attempts"] == 1
    messages = [message for one in made for message in delivered(stack, one)]
    assert (len(messages), sum(message["repeats"] for message in messages)) == (50, 0)
    sent = "SELECT count(*) FROM outbox WHERE type = 'notification.sent' AND aggregate_id = ANY($1::text[])"
    assert rows(stack, sent, made) == [(50,)]


def test_what_a_killed_sender_had_under_way_is_sent_by_another_once(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    settings = {"LAKEPROOF_NOTIFICATION": json.dumps({"lease_seconds": 2, "provider_seconds": 1.5})}
    with instance(MODULE, settings) as doomed:
        doomed.wait_until_healthy()
        made = created(shop)
        supervisor.kill("mail-sink", "STOP")
        try:
            with doomed.client() as client, pytest.raises(httpx.HTTPError):
                asyncio.run(_send_and_kill(stack, doomed, made, client))
            assert rows(stack, CLAIMED, uuid.UUID(made)) == [(True,)]
        finally:
            supervisor.kill("mail-sink", "CONT")
    assert await_status(shop, made, "sent")["attempts"] >= 2
    assert len(delivered(stack, made)) == 1


CLAIMED = "SELECT claim IS NOT NULL FROM notifications WHERE id = $1"


async def _send_and_kill(stack: Stack, doomed: Instance, made: str, client: httpx.Client) -> None:
    sending = asyncio.create_task(asyncio.to_thread(client.post, f"/notifications/{made}/send"))
    deadline = Deadline(10)
    while rows(stack, CLAIMED, uuid.UUID(made)) != [(True,)] and not deadline.expired:
        await asyncio.sleep(0.02)
    doomed.process.kill()
    await sending


def test_an_opt_out_is_honoured_by_topic_and_channel_and_counted(stack: Stack, shop: httpx.Client) -> None:
    customer = a_customer()
    place = f"/notifications/preferences/{customer}"
    assert shop.get(place).json() == {"customer_id": customer, "opted_out": [], "version": 0, "updated_at": None}
    before = metric(stack, "notification_opt_out_total")
    wanted = {"opted_out": [{"topic": "marketing", "channel": "*"}]}
    first, second = (shop.put(place, json=wanted) for _ in range(2))
    assert first.json() == second.json() == shop.get(place).json()
    assert metric(stack, "notification_opt_out_total") == before + 1
    dropped = metric(stack, "notification_events_dropped_total")
    unwanted, fine = created(shop, customer_id=customer, topic="marketing"), created(shop, customer_id=customer)
    answer = shop.post(f"/notifications/{unwanted}/send").json()
    assert (answer["status"], answer["reason"]) == ("dropped", "opted_out")
    assert metric(stack, "notification_events_dropped_total") == dropped + 1
    assert shop.post(f"/notifications/{fine}/send").json()["status"] == "sent"
    assert delivered(stack, unwanted) == []
    assert shop.put(place, json={"opted_out": []}).json()["opted_out"] == []
    assert metric(stack, "notification_opt_out_total") == before + 1


def test_the_limit_holds_under_a_race_and_says_when_there_is_room(stack: Stack, shop: httpx.Client) -> None:
    limit, customer = stack.settings.notification.notification_rate_limit, a_customer()
    made = [created(shop, customer_id=customer) for _ in range(limit + 10)]
    other_channel = created(shop, customer_id=customer, channel="webhook")

    async def race() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=stack.url(NAME), timeout=30.0) as client:
            return await asyncio.gather(*(client.post(f"/notifications/{one}/send") for one in made))

    before = metric(stack, "notification_rate_limited_total")
    answers = asyncio.run(race())
    assert Counter(answer.status_code for answer in answers) == {200: limit, 429: 10}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert 1 <= int(refused.headers["retry-after"]) <= stack.settings.notification.notification_rate_window_seconds
    assert metric(stack, "notification_rate_limited_total") == before + 10
    assert shop.post(f"/notifications/{other_channel}/send").status_code == 200


def test_a_batch_is_made_once_spread_and_sent_but_for_who_opted_out(stack: Stack, shop: httpx.Client) -> None:
    customers = [a_customer() for _ in range(20)]
    shop.put(f"/notifications/preferences/{customers[0]}", json={"opted_out": [{"topic": "*", "channel": "email"}]})
    body = {
        "client_key": f"test-{uuid.uuid4().hex}",
        "channel": "email",
        "topic": "marketing",
        "subject": "Sale",
        "body": "Everything",
        "recipients": [{"customer_id": one, "to": f"c{one}@example.org"} for one in customers],
        "spread_seconds": 4,
    }
    first, second = (shop.post("/notifications/batches", json=body) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200), first.text
    batch = first.json()["batch_id"]
    assert second.json()["batch_id"] == batch
    spread = "SELECT extract(epoch FROM max(due_at) - min(due_at))::float8 FROM notifications WHERE batch_id = $1"
    Deadline(30).wait_for(
        "the batch",
        lambda: True if shop.get(f"/notifications/batches/{batch}").json()["last_due_at"] is None else None,
        seen=lambda: shop.get(f"/notifications/batches/{batch}").text,
    )
    assert shop.get(f"/notifications/batches/{batch}").json()["by_status"] == {"sent": 19, "dropped": 1}
    assert rows(stack, spread, uuid.UUID(batch)) == [(None,)]
    lasted = "SELECT extract(epoch FROM max(sent_at) - min(sent_at))::float8 FROM notifications WHERE batch_id = $1"
    assert 2.0 < rows(stack, lasted, uuid.UUID(batch))[0][0] < 15.0


@pytest.mark.proof
def test_a_batch_that_goes_out_is_spread_anew_and_called_off_and_each_message_has_its_event(
    stack: Stack, shop: httpx.Client
) -> None:
    body = {
        "client_key": f"test-{uuid.uuid4().hex}",
        "channel": "email",
        "topic": "marketing",
        "subject": "Sale",
        "body": "Everything",
        "recipients": [{"customer_id": a_customer(), "to": "many@example.org"} for _ in range(6)],
        "spread_seconds": 3600,
    }
    batch = shop.post("/notifications/batches", json=body).json()["batch_id"]
    path = f"/notifications/batches/{batch}"
    Deadline(30).wait_for("the first of it", lambda: shop.get(path).json()["by_status"].get("sent") == 1 or None)
    assert shop.post(f"{path}/spread", json={"spread_seconds": 10, "after_seconds": 600}).status_code == 200
    due = "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM notifications WHERE batch_id = $1"
    waits = sorted(row[0] for row in rows(stack, f"{due} AND status = 'pending'", uuid.UUID(batch)))
    assert [round(one - waits[0], 1) for one in waits] == [0, 2, 4, 6, 8] and 590 < waits[0] < 601
    dropped = metric(stack, "notification_events_dropped_total")
    for _ in range(2):
        answer = shop.post(f"{path}/withdraw")
        assert answer.json()["by_status"] == {"sent": 1, "dropped": 5}, answer.text
    assert metric(stack, "notification_events_dropped_total") == dropped + 5
    told = "SELECT count(*) FROM outbox WHERE type = 'notification.dropped' AND payload->>'batch_id' = $1"
    assert rows(stack, told, batch) == [(5,)]
    assert shop.post(f"/notifications/batches/{uuid.uuid4()}/withdraw").status_code == 404


@pytest.mark.proof
def test_a_batch_is_spread_and_called_off_with_what_a_dead_sender_had_taken_and_without_what_is_being_sent(
    stack: Stack, shop: httpx.Client
) -> None:
    body = {
        "client_key": f"test-{uuid.uuid4().hex}",
        "channel": "email",
        "topic": "marketing",
        "subject": "Sale",
        "body": "Everything",
        "recipients": [{"customer_id": a_customer(), "to": "many@example.org"} for _ in range(3)],
        "spread_seconds": 3600,
    }
    batch = uuid.UUID(shop.post("/notifications/batches", json=body).json()["batch_id"])
    claim = (
        "UPDATE notifications SET claim = gen_random_uuid(), due_at = clock_timestamp() + $2::float8 * interval '1 s'"
        " WHERE id = (SELECT id FROM notifications WHERE batch_id = $1 AND status = 'pending' AND claim IS NULL"
        " ORDER BY due_at DESC LIMIT 1)"
    )
    left = "SELECT count(*) FROM notifications WHERE batch_id = $1 AND claim IS NOT NULL AND status = 'pending'"
    account = ("notification_service", "postgres-notification-service", 10.0, DATABASE, "notification")
    for statement, args in ((store._SPREAD, (600.0, 10.0)), (store._WITHDRAW, ("withdrawn",))):
        # Within one transaction that is rolled back: the worker would take the dead sender's at once.
        with connection(stack, *account) as session, session.transaction(force_rollback=True):
            for seconds in (-1.0, 20.0):
                session.rows(claim, batch, seconds)
            session.rows(statement, batch, *args)
            assert session.rows(left, batch) == [(1,)]
