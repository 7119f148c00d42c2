"""Each of the runbook's nine make targets, typed as a person does, on the whole shop: what it prints is JSON, is what
the stores say, fires the alert that the runbook promises, and leaves the stack as it was.

Prometheus goes by a drill's windows meanwhile, as in a drill.
"""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.drills_real.health import assert_whole_shop_clean, await_health
from tests.engines.notifications import ERRORS, FAILED, SENT, metric
from tests.engines.support_shop import PNG, form, key

from lakeproof.deadline import Deadline
from lakeproof.observability.reload import give_back, renew
from lakeproof.probes.prometheus import all_firing, firing
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.states import Health
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.engines import cassandra_session, mysql
from lakeproof.stack.engines.cassandra_roles import SUPERUSER, SUPERUSER_SECRET
from lakeproof.stack.object_store import ATTACHMENT_BUCKET, LABEL_BUCKET, s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.fulfillment.label import CHAOS

pytestmark = [pytest.mark.drills, pytest.mark.timeout(600)]

type Run = Callable[..., Any]
type Printed = dict[str, Any]

ROOT = Path(__file__).parents[2]
SEEN_SECONDS = 30.0
ALERT_SECONDS = 120.0
TTL = 900


def make(target: str, arguments: str = "", *, code: int = 0) -> Printed:
    """`make TARGET ARGS=…` in a shell without another make around it: all of its stdout, as JSON."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", target, f"ARGS={arguments}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    printed: Printed = json.loads(done.stdout)
    return printed


def sql(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    with mysql.connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def columns(stack: Stack, table: str) -> list[str]:
    found = sql(
        stack,
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'oltp'"
        f" AND table_name = '{table}' ORDER BY ordinal_position",
    )
    return [str(name) for (name,) in found]


def ttl(stack: Stack) -> int:
    with cassandra_session.session(stack, SUPERUSER, stack.secret(SUPERUSER_SECRET), seconds=10.0) as ring:
        found = ring.execute(
            "SELECT default_time_to_live FROM system_schema.tables"
            " WHERE keyspace_name = 'inventory' AND table_name = 'reservations'"
        ).one()
    assert found is not None
    return int(found[0])


def objects(stack: Stack, bucket: str, prefix: str = "") -> list[str]:
    pages = s3_client(stack).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def await_alert(stack: Stack, alert: str) -> None:
    """Until Prometheus has it firing."""
    since = Deadline(ALERT_SECONDS)
    since.wait_for(f"the alert {alert}", lambda: firing(stack, alert) or None, seen=lambda: str(all_firing(stack)))
    print(f"{alert} fires after {since.elapsed:.0f} s")


def await_metric(stack: Stack, service: str, name: str, holds: Callable[[float], bool]) -> None:
    last = float("nan")

    def look() -> bool | None:
        nonlocal last
        last = metric(stack, name, url=stack.url(service))
        return True if holds(last) else None

    Deadline(SEEN_SECONDS).wait_for(f"{name} of {service}", look, seen=lambda: str(last))


@pytest.fixture(scope="module")
def running(whole_stack: Stack, lakeproof: Run) -> Iterator[SupervisorClient]:
    """The whole shop, healthy, with what some customers have bought."""
    client = SupervisorClient(whole_stack)
    client.up({name for scenario in load_catalog().played for name in scenario.components})
    renew(whole_stack, "drill")
    bought = lakeproof("traffic", "--rate", "10", "--purchases", "2", "--seconds", "20", "--json", seconds=150)
    assert (bought.code, json.loads(bought.out)["bought"] > 10) == (0, True), bought.err[-2000:]
    await_health(lakeproof)
    yield client
    give_back(whole_stack)


@pytest.fixture(autouse=True)
def as_before(running: SupervisorClient, lakeproof: Run) -> Iterator[None]:
    """Afterwards: nothing on record as broken, every process the same and well, nothing to diagnose."""
    before = {row.name: row.pid for row in running.ps()}
    yield
    assert list((running.stack.state_dir / "faults").glob("*.json")) == []
    await_health(lakeproof)
    watched = {name for name, one in running.components.items() if not one.on_demand}
    assert {row.name: (row.pid, row.health) for row in running.ps() if row.name in watched} == {
        name: (pid, Health.HEALTHY) for name, pid in before.items() if name in watched
    }


@pytest.fixture
def support(whole_stack: Stack, running: SupervisorClient) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=whole_stack.url("support-service"), timeout=15.0, trust_env=False) as client:
        yield client


def a_shipped_order(stack: Stack) -> int:
    """One that was bought at the checkout, with a payment and a parcel; shoppers pay orders without one, too."""
    ((found,),) = sql(stack, "SELECT MAX(order_id) FROM oltp.checkouts WHERE step = 'done'")
    return int(found)


def a_case(support: httpx.Client, order_id: int) -> int:
    body = {"customer_id": 5, "order_id": order_id, "subject": "Where is it?", "message": "Not here."}
    answer = support.post("/support/cases", json=body, headers=key())
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


@pytest.mark.turn("replication-lag")
def test_chaos_replication_lag_tells_what_did_not_arrive_and_that_all_of_it_did_afterwards(
    whole_stack: Stack, running: SupervisorClient, lakeproof: Run
) -> None:
    def orders() -> int:
        ((count,),) = sql(whole_stack, "SELECT COUNT(*) FROM oltp.order_events WHERE version = 1")
        return int(count)

    before = orders()
    printed = make("chaos-replication-lag", "--rows 100")
    assert printed["rowsWritten"] >= 100
    assert orders() - before >= printed["rowsWritten"]
    assert printed["rowCountDelta"] == printed["rowsWritten"]
    assert printed["binlogPositionDelta"] > printed["binlogPositionDeltaBefore"]
    assert printed["afterResume"]["rowCountDelta"] == 0
    kept = make("chaos-replication-lag", "--rows 20 --keep-paused")
    try:
        assert kept["rowCountDelta"] == kept["rowsWritten"]
        await_alert(whole_stack, "CdcReplicationLagHigh")
    finally:
        removed = lakeproof("fault", "remove", "paused_connector", seconds=60)
    assert removed.code == 0, removed.err
    status = httpx.get(f"{whole_stack.url('connect')}/connectors/orders/status", trust_env=False).json()
    assert status["connector"]["state"] == "RUNNING"


@pytest.mark.turn("schema-drift")
def test_chaos_schema_drift_adds_the_column_and_drops_it(whole_stack: Stack, running: SupervisorClient) -> None:
    before = columns(whole_stack, "orders")
    # The runbook's own words, to the letter.
    printed = make("chaos-schema-drift", "--table oltp.orders --column unexpected_field")
    try:
        assert columns(whole_stack, "orders") == printed["columns"] == [*before, "unexpected_field"]
        assert (printed["ok"], printed["present"]) == (True, True)
        await_alert(whole_stack, "SchemaDriftDetected")
    finally:
        reverted = make("chaos-schema-drift", "--table oltp.orders --column unexpected_field --revert")
    assert columns(whole_stack, "orders") == reverted["columns"] == before
    assert reverted["present"] is False


@pytest.mark.turn("ttl-oversell")
def test_chaos_ttl_oversell_shortens_the_ttl_and_sets_it_back(whole_stack: Stack, running: SupervisorClient) -> None:
    assert ttl(whole_stack) == TTL
    # The runbook's own words, to the letter.
    printed = make("chaos-ttl-oversell", "--keyspace inventory --table reservations --ttl 60")
    try:
        assert (printed["previousTtl"], printed["ttl"], ttl(whole_stack)) == (TTL, 60, 60)
        await_alert(whole_stack, "InventoryOversellRisk")
    finally:
        reverted = make("chaos-ttl-oversell", f"--revert --previous-ttl {TTL}")
    assert (reverted["previousTtl"], reverted["ttl"], ttl(whole_stack)) == (60, TTL, TTL)


@pytest.mark.turn("fulfillment-delay")
def test_chaos_fulfillment_delay_holds_labels_back_and_lets_them_go(
    whole_stack: Stack, running: SupervisorClient, support: httpx.Client
) -> None:
    backlog = "fulfillment_artifacts_backlog_objects"
    before = metric(whole_stack, backlog, url=whole_stack.url("fulfillment-service"))
    ticket = a_case(support, a_shipped_order(whole_stack))
    printed = make("chaos-fulfillment-delay", f"--count 7 --hold-minutes 30 --support-ticket-id {ticket}")
    try:
        assert len(objects(whole_stack, LABEL_BUCKET, CHAOS)) == printed["objects"] == 7
        held = s3_client(whole_stack).head_object(
            Bucket=LABEL_BUCKET, Key=objects(whole_stack, LABEL_BUCKET, CHAOS)[0]
        )
        assert "hold-until" in held["Metadata"]
        assert printed["supportTicket"]["reached"] and printed["supportTicket"]["newestShipment"]
        await_metric(whole_stack, "fulfillment-service", backlog, lambda seen: seen >= before + 7)
        await_metric(whole_stack, "fulfillment-service", "fulfillment_lag_minutes", lambda lag: 29 <= lag <= 31)
        await_alert(whole_stack, "FulfillmentDelay")
    finally:
        reverted = make("chaos-fulfillment-delay", "--revert")
    assert objects(whole_stack, LABEL_BUCKET, CHAOS) == []
    assert (reverted["removedObjects"], reverted["releasedBytes"]) == (7, printed["bytes"])
    await_metric(whole_stack, "fulfillment-service", "fulfillment_lag_minutes", lambda lag: lag < 5)


@pytest.mark.turn("notification-failure")
def test_notification_chaos_provider_fails_as_many_as_asked(whole_stack: Stack, running: SupervisorClient) -> None:
    before = metric(whole_stack, FAILED)
    printed = make("notification-chaos-provider", f"--base-url {whole_stack.url('notification-service')} --count 10")
    assert (printed["failed"], printed["metrics"][FAILED]["delta"]) == (10, 10)
    assert metric(whole_stack, FAILED) == before + 10
    assert len(set(printed["notificationIds"])) == 10
    await_alert(whole_stack, "NotificationFailureRateHigh")


@pytest.mark.turn("notification-failure")
def test_notification_chaos_redis_sends_all_and_sees_the_errors_and_their_end(
    whole_stack: Stack, running: SupervisorClient
) -> None:
    errors, sent = metric(whole_stack, ERRORS), metric(whole_stack, SENT)
    # By another name of this machine than the stack's own, as a person types it.
    port = whole_stack.port("notification-service")
    printed = make("notification-chaos-redis", f"--base-url http://localhost:{port}")
    assert (printed["redisStopped"], printed["sent"], printed["problems"]) == (True, printed["requested"], [])
    assert printed["metrics"][ERRORS]["delta"] >= printed["requested"]
    assert printed["errorsEndedAfterwards"] is True
    assert metric(whole_stack, ERRORS) >= errors + printed["requested"]
    assert metric(whole_stack, SENT) >= sent + printed["requested"]
    await_alert(whole_stack, "NotificationRateLimiterErrors")


@pytest.mark.turn("notification-failure")
def test_notification_probe_sends_one_that_arrives(whole_stack: Stack, running: SupervisorClient) -> None:
    before = metric(whole_stack, SENT)
    printed = make("notification-probe")
    assert (printed["ok"], printed["status"], printed["problem"]) == (True, "sent", "")
    assert metric(whole_stack, SENT) >= before + 1
    asked = {"message_id": f"<{printed['notificationId']}@notification.lakeproof>"}
    answer = httpx.get(f"{whole_stack.url('mail-sink')}/messages", params=asked, timeout=5, trust_env=False)
    assert len(answer.json()["messages"]) == 1


@pytest.mark.turn("support-timeline")
def test_support_probe_reads_a_whole_timeline_and_closes_its_case(
    whole_stack: Stack, running: SupervisorClient, support: httpx.Client
) -> None:
    printed = make("support-probe", f"--order-id {a_shipped_order(whole_stack)}")
    assert (printed["ok"], printed["missing"], printed["unhealthy"]) == (True, {}, {})
    assert support.get(f"/support/cases/{printed['caseId']}").json()["status"] == "closed"


@pytest.mark.turn("support-timeline")
def test_support_offload_moves_what_can_still_be_read_and_touches_nothing_in_a_dry_run(
    whole_stack: Stack, running: SupervisorClient, support: httpx.Client
) -> None:
    make("support-offload", "--age-days 0")  # the photos that the shoppers of the tests before sent
    case = a_case(support, a_shipped_order(whole_stack))
    body, headers = form("photo.png", PNG)
    made = support.post(f"/support/cases/{case}/attachments", content=body, headers=headers).json()
    would = make("support-offload", "--age-days 0 --dry-run")
    assert (would["dryRun"], would["candidates"], would["moved"]) == (True, 1, 0)
    assert objects(whole_stack, ATTACHMENT_BUCKET, f"{case}/") == []
    done = make("support-offload", "--age-days 0")
    assert (done["moved"], done["movedBytes"], done["failed"]) == (1, len(PNG), [])
    (kept,) = objects(whole_stack, ATTACHMENT_BUCKET, f"{case}/")
    stored = s3_client(whole_stack).get_object(Bucket=ATTACHMENT_BUCKET, Key=kept)["Body"].read()
    assert hashlib.sha256(stored).digest() == hashlib.sha256(PNG).digest()
    back = support.get(f"/support/cases/{case}/attachments/{made['id']}")
    assert (back.status_code, back.content) == (200, PNG)
    again = make("support-offload", "--age-days 0")
    assert (again["candidates"], again["moved"], again["leftoversDeleted"]) == (0, 0, 0)


def test_a_target_that_cannot_do_it_fails_and_says_so_in_json(running: SupervisorClient) -> None:
    """Make's own exit code is 2."""
    printed = make("chaos-schema-drift", "--table nowhere", code=2)
    assert printed["ok"] is False
    assert "no such table" in printed["problem"]


def test_after_all_of_them_every_claim_holds(running: SupervisorClient, lakeproof: Run) -> None:
    print("after the nine make targets:", json.dumps(assert_whole_shop_clean(lakeproof))[:1500])
