"""The notification service while what it stands on is away or silent, and the rehearsals of that."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakeproof.checks.check import CheckContext
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.engines import redis
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import checks, faults, repairs, wrong_fixes
from lakeproof_shop.scenarios.notification_failure.checks import MessagesDelivered
from lakeproof_shop.scenarios.notification_failure.probes import reasons

from .instances import instance
from .notifications import (
    ERRORS,
    FAILED,
    MODULE,
    NAME,
    await_dependencies,
    await_status,
    created,
    delivered,
    metric,
    opened_shop,
)
from .slow_proxy import slow_proxy

pytestmark = [pytest.mark.engines, pytest.mark.proof]

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up(NAME)


@pytest.fixture
def shop(stack: Stack, supervisor: SupervisorClient) -> Iterator[httpx.Client]:
    with opened_shop(stack) as client:
        yield client


def break_(supervisor: SupervisorClient, name: str, trouble: str) -> None:
    """gone: it refuses connections; silent: it accepts them and says nothing."""
    if trouble == "gone":
        supervisor.stop(name)
    else:
        supervisor.kill(name, "STOP")


def mend(supervisor: SupervisorClient, name: str, trouble: str) -> None:
    if trouble == "gone":
        supervisor.start(name)
    else:
        supervisor.kill(name, "CONT")


@pytest.mark.parametrize("trouble", ["gone", "silent"])
def test_without_redis_messages_pass_are_counted_and_no_call_takes_a_second(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient, trouble: str
) -> None:
    made, before = [created(shop) for _ in range(30)], metric(stack, ERRORS)
    break_(supervisor, "redis", trouble)
    try:
        assert slowest_send(shop, made) < 1.0
        assert metric(stack, ERRORS) == before + 30
        await_dependencies(stack, frozenset({"redis"}))
    finally:
        mend(supervisor, "redis", trouble)
    await_dependencies(stack)

    def limited_again() -> bool | None:
        seen = metric(stack, ERRORS)
        shop.post(f"/notifications/{created(shop)}/send")
        return True if metric(stack, ERRORS) == seen else None

    Deadline(20).wait_for("the limiter to ask again", limited_again)


def test_a_kill_9_of_redis_in_the_middle_is_noticed_by_the_counter_alone(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    made, before = [created(shop) for _ in range(60)], metric(stack, ERRORS)
    assert slowest_send(shop, made[:20]) < 1.0
    supervisor.kill("redis")
    assert slowest_send(shop, made[20:]) < 1.0
    assert metric(stack, ERRORS) > before
    await_dependencies(stack)


def slowest_send(shop: httpx.Client, ids: list[str]) -> float:
    slowest = 0.0
    for one in ids:
        started = time.monotonic()
        assert shop.post(f"/notifications/{one}/send").status_code == 200
        slowest = max(slowest, time.monotonic() - started)
    return slowest


@pytest.mark.parametrize("trouble", ["gone", "silent"])
def test_a_provider_that_is_gone_or_silent_fails_in_time_and_is_tried_again(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient, trouble: str
) -> None:
    made, before = [created(shop, channel=channel) for channel in ("email", "webhook")], metric(stack, FAILED)
    break_(supervisor, "mail-sink", trouble)
    try:
        for one in made:
            started = time.monotonic()
            answer = shop.post(f"/notifications/{one}/send")
            assert time.monotonic() - started < stack.settings.notification.provider_seconds + 1.5
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_failed")
            found = shop.get(f"/notifications/{one}").json()
            assert found["status"] == "failed" and found["due_at"] is not None
        assert metric(stack, FAILED) >= before + 2
        await_dependencies(stack, frozenset({"mail-sink"}))
    finally:
        mend(supervisor, "mail-sink", trouble)
    for one in made:
        await_status(shop, one, "sent", 60)
        assert len(delivered(stack, one)) == 1


def test_a_provider_that_takes_five_seconds_is_given_up_and_another_sender_delivers_once(
    stack: Stack, shop: httpx.Client
) -> None:
    host, port = stack.host_port("mail-sink", "smtp")
    made = created(shop)
    with slow_proxy(host, port, 5.0) as slow:
        settings = {"LAKEPROOF_ENDPOINTS": json.dumps({"mail-sink": {"smtp": f"127.0.0.1:{slow}"}})}
        with instance(MODULE, settings) as one, one.wait_until_healthy().client() as client:
            before, started = metric(stack, FAILED, url=one.url), time.monotonic()
            answer = client.post(f"/notifications/{made}/send")
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "provider_failed")
            assert time.monotonic() - started < 5.0
            assert metric(stack, FAILED, url=one.url) == before + 1
    await_status(shop, made, "sent", 60)
    assert len(delivered(stack, made)) == 1


def test_without_its_database_it_is_unhealthy_and_refuses_without_hanging(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    made = created(shop)
    supervisor.kill("postgres", "STOP")
    try:
        started = time.monotonic()
        answer = shop.post(f"/notifications/{made}/send")
        assert answer.status_code == 503, answer.text
        assert time.monotonic() - started < 10
        await_dependencies(stack, frozenset({"postgres"}), 503)
    finally:
        supervisor.kill("postgres", "CONT")
    await_dependencies(stack)
    assert shop.post(f"/notifications/{made}/send").json()["status"] == "sent"
    assert len(delivered(stack, made)) == 1


def run_script(path: str, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(ROOT / path), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, found


def test_the_probe_tells_that_it_works_and_that_it_does_not(
    stack: Stack, shop: httpx.Client, supervisor: SupervisorClient
) -> None:
    code, found = run_script("scripts/synthetic/notification_probe.py", "--base-url", stack.url(NAME))
    assert (code, found["ok"], found["status"]) == (0, True, "sent"), found
    supervisor.stop("mail-sink")
    try:
        code, found = run_script("scripts/synthetic/notification_probe.py")
        assert (code, found["ok"]) == (1, False), found
        assert "502" in found["problem"]
    finally:
        supervisor.start("mail-sink")


@pytest.mark.parametrize(
    "script", ["scripts/synthetic/notification_probe.py", "scripts/chaos/notification_provider_failure.py"]
)
def test_a_script_works_beside_somebody_elses_service_by_its_url_alone(
    stack: Stack, shop: httpx.Client, script: str, tmp_path: Path
) -> None:
    theirs = {"LAKEPROOF_MODE": "external", "LAKEPROOF_STATE_DIR": str(tmp_path)}
    code, found = run_script(script, "--base-url", stack.url(NAME), **theirs)
    assert (code, found["ok"], found["baseUrl"]) == (0, True, stack.url(NAME)), found


def test_the_provider_rehearsal_fails_as_many_as_asked(stack: Stack, shop: httpx.Client) -> None:
    script = "scripts/chaos/notification_provider_failure.py"
    code, found = run_script(script, "--base-url", stack.url(NAME), "--count", "7")
    assert (code, found["failed"], found["metrics"][FAILED]["delta"]) == (0, 7, 7), found


def test_the_redis_rehearsal_sees_errors_and_their_end_and_leaves_redis_running(
    stack: Stack, shop: httpx.Client
) -> None:
    url = f"http://localhost:{stack.port(NAME)}"  # another name of the same place
    code, found = run_script("scripts/chaos/notification_redis_outage.py", "--base-url", url)
    assert (code, found["redisStopped"], found["sent"]) == (0, True, 10), found
    assert found["metrics"][ERRORS]["delta"] == 10
    assert found["slowestCallSeconds"] < 1.0
    redis.ready(stack, 2.0)
    assert list((stack.state_dir / "faults").glob("*.json")) == []


def test_a_provider_that_refuses_the_account_is_named_and_all_arrives_once_it_takes_mail_again(
    stack: Stack, shop: httpx.Client
) -> None:
    context, judged = CheckContext(stack, Deadline(120)), MessagesDelivered(seconds=60)
    before = judged.baseline(context)
    assert before.verdict.outcome is Outcome.PASSED, before.verdict
    assert not faults.RefusedMail().sign(stack).holds
    faults.RefusedMail().inject(stack)
    try:
        assert faults.RefusedMail().sign(stack).holds
        made = [created(shop) for _ in range(10)]
        for one in made:
            assert shop.post(f"/notifications/{one}/send").status_code == 502
        assert "email: 451 4.7.1" in str(reasons(stack, 5.0))
        late = checks.MessagesDelivered(seconds=0.1).verify(context, before)
        assert (late.outcome, late.numbers["waiting"]) == (Outcome.FAILED, 10)
        repairs.AcceptMail().run(stack)
    finally:
        faults.RefusedMail().remove(stack)
    verdict = judged.verify(context, before)
    assert verdict.outcome is Outcome.PASSED, verdict
    assert verdict.numbers["delivered"] == 10
    assert all(len(delivered(stack, one)) == 1 for one in made)


def test_messages_that_somebody_deleted_are_missed(stack: Stack, shop: httpx.Client) -> None:
    """One that an event called for: the event is known as taken, and its notification is not there."""
    context, judged = CheckContext(stack, Deadline(60)), MessagesDelivered(seconds=0.1)
    before = judged.baseline(context)
    event = uuid.uuid4()
    with postgres_session.connection(
        stack, "notification_service", "postgres-notification-service", 10.0, "shop", "notification"
    ) as session:
        session.rows("INSERT INTO consumed_events (event_id, source) VALUES ($1, 'test')", event)
        session.rows(
            "INSERT INTO notifications (id, customer_id, channel, recipient, subject, body, topic, status, trace_id)"
            " VALUES ($1, 1, 'email', 'a@example.org', 's', 'b', 'order', 'failed', '')",
            event,
        )
        try:
            wrong_fixes.DeleteFailedNotifications().run(stack)
            verdict = judged.verify(context, before)
        finally:
            session.rows("DELETE FROM consumed_events WHERE event_id = $1", event)
    assert (verdict.outcome, verdict.numbers["lost_messages"]) == (Outcome.FAILED, 1)
