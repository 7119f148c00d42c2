"""PostgreSQL's tables in the lake: whole transactions through kill -9, beside MariaDB's at one hash, and checked."""

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient
from tests.doubles.plugins import OURS

from lakeproof.arguments import parse_arguments
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.diagnosis import Diagnosis
from lakeproof.diagnosis.examination import examine
from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture import commands
from lakeproof.lake.capture.registration import live_config
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources.source import SHOP, present
from lakeproof.mitigations import capture_gaps
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.checking import check
from lakeproof.proof.findings import Wrong
from lakeproof.proof.report import CheckReport
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes import kafka

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(1200)]

COVERED_SECONDS = 180.0
# Payments whose row and events do not tell the same: a part of a transaction.
PARTS = """
SELECT count(*) FROM shop.payments p FULL JOIN
 (SELECT payment_id, max(version) AS newest, count(*) AS events FROM shop.payment_events GROUP BY payment_id) e
 ON e.payment_id = p.id WHERE p.id IS NULL OR e.payment_id IS NULL OR p.version <> e.newest OR e.events <> e.newest
"""


@pytest.fixture(scope="module")
def client(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up("shop-capture", "trino")


def root(stack: Stack, sql: str, *args: object) -> list[tuple[Any, ...]]:
    return postgres_session.select(stack, "postgres", "postgres-root", sql, *args, database="shop")


def covering(stack: Stack, instant_us: int) -> PublishedCommit:
    """The first hash at which PostgreSQL's tables cover the instant."""

    def look() -> PublishedCommit | None:
        try:
            found = history.newest(stack)
        except CouldNotLook:
            return None
        return found if (found.beat_of("shop") or 0) >= instant_us else None

    return Deadline(COVERED_SECONDS).wait_for("a hash that covers now", look, every=0.5)


def now_us() -> int:
    return time.time_ns() // 1000


class Writer(threading.Thread):
    """Transactions of several tables, one after another, through any outage; counts those that were acknowledged."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.stack, self.stopped, self.acknowledged = stack, threading.Event(), 0

    def run(self) -> None:
        while not self.stopped.is_set():
            try:
                self._write()
            except postgres_session.TROUBLES:
                time.sleep(0.2)

    def await_more(self, transactions: int) -> None:
        wanted = self.acknowledged + transactions
        Deadline(120).wait_for("writes", lambda: True if self.acknowledged >= wanted else None)

    def _write(self) -> None:
        with postgres_session.connection(self.stack, "postgres", "postgres-root", 600.0, "shop") as session:
            while not self.stopped.is_set():
                with session.transaction():
                    write(session)
                self.acknowledged += 1
                time.sleep(0.02)


def write(session: postgres_session.Session) -> None:
    """A payment in two versions, a case with messages (one deleted, one by COPY), a message to the customer."""
    number = uuid.uuid4().int % 10**12
    ((payment,),) = session.rows(
        "INSERT INTO payment.payments (order_id, customer_id, card_fingerprint, status, amount, authorized, captured,"
        " refunded, version, created_at, updated_at)"
        " VALUES ($1, 1, 'f', 'authorized', 12.30, 12.30, 0, 0, 1, now(), now()) RETURNING id",
        number,
    )
    event = "INSERT INTO payment.payment_events (payment_id, version, type, amount, status, authorized, captured, "
    event += "refunded, at) VALUES ($1, $2, $3, 12.30, $3, 12.30, $4, 0, clock_timestamp())"
    session.rows(event, payment, 1, "authorized", 0)
    session.rows(
        "UPDATE payment.payments SET status = 'captured', captured = 12.30, version = 2 WHERE id = $1", payment
    )
    session.rows(event, payment, 2, "captured", 12)
    ((case,),) = session.rows(
        "INSERT INTO support.cases (customer_id, subject, status, version, created_at, updated_at)"
        " VALUES (1, 'trà № 7', 'open', 1, now(), now()) RETURNING id"
    )
    # Longer than a page: its text is kept apart, and the update below does not carry it in the WAL.
    long = uuid.uuid4().hex * 300
    session.rows(
        "INSERT INTO support.case_messages (case_id, author, body, at) VALUES ($1, 'agent', $2, now()),"
        " ($1, 'customer', 'x', now())",
        case,
        long,
    )
    session.rows("UPDATE support.case_messages SET author = 'customer' WHERE case_id = $1", case)
    session.rows("DELETE FROM support.case_messages WHERE case_id = $1 AND body = 'x'", case)
    columns = "(case_id, version, type, at)"
    with session.cursor() as cursor, cursor.copy(f"COPY support.case_events {columns} FROM STDIN".encode()) as copy:
        for version in (1, 2, 3):
            copy.write_row((case, version, "opened", datetime.now(UTC)))
    session.rows(
        "INSERT INTO notification.notifications (id, customer_id, channel, recipient, subject, body, topic, status,"
        " trace_id) VALUES ($1, 1, 'email', 'a@b', 's', 'b', 't', 'pending', 'x')",
        uuid.uuid4(),
    )
    session.rows("INSERT INTO notification.preferences VALUES ($1, '[\"*/email\"]', 1, now())", number)


def await_restart(client: SupervisorClient, name: str, restarts: int) -> None:
    def look() -> bool | None:
        row = client.row(name)
        return True if row.restarts > restarts and row.health == "healthy" else None

    Deadline(180).wait_for(f"{name} to come back", look)


def of_shop(report: CheckReport) -> dict[tuple[str, str], int]:
    return {(table.table, table.engine): table.rows for table in report.tables if table.table.startswith("shop.")}


def findings(report: CheckReport) -> set[tuple[str, Wrong, str]]:
    return {
        (finding.table, finding.wrong, finding.key)
        for table in report.tables
        for finding in table.findings
        if table.table.startswith("shop.")
    }


def test_rows_that_were_there_before_capture_and_new_ones_are_in_the_lake(
    stack: Stack, client: SupervisorClient
) -> None:
    writer = Writer(stack)
    writer.start()
    writer.await_more(20)
    writer.stopped.set()
    writer.join(30)
    commit = covering(stack, now_us())
    assert commit.tables_of("oltp") and commit.tables_of("shop")
    _, answer = ask(stack, "SELECT count(*), sum(captured) FROM lake.shop.payments", at=commit.hash)
    ((rows, captured),) = answer.rows
    assert int(rows) == writer.acknowledged
    assert str(captured) == str(root(stack, "SELECT sum(captured) FROM payment.payments")[0][0])


def test_nothing_is_lost_doubled_or_torn_through_kill_9_of_connect_and_postgres_under_writes(
    stack: Stack, client: SupervisorClient
) -> None:
    writer = Writer(stack)
    writer.start()
    torn: dict[str, int] = {}
    for victim in ("connect", "postgres", "connect", "postgres"):
        writer.await_more(50)
        restarts = client.row(victim).restarts
        client.kill(victim)
        await_restart(client, victim, restarts)
        commit = covering(stack, now_us())
        torn[commit.hash] = int(ask(stack, PARTS, at=commit.hash)[1].rows[0][0])
    writer.stopped.set()
    writer.join(60)
    commit = covering(stack, now_us())
    assert set(torn.values()) == {0}
    for table, source, key in (
        ("payments", "payment.payments", "id"),
        ("payment_events", "payment.payment_events", "id"),
        ("case_messages", "support.case_messages", "id"),
        ("case_events", "support.case_events", "id"),
        ("notifications", "notification.notifications", "id"),
    ):
        theirs = [str(key) for (key,) in root(stack, f"SELECT {key} FROM {source}")]
        _, answer = ask(stack, f"SELECT {key} FROM shop.{table}", at=commit.hash)
        assert sorted(str(row[0]) for row in answer.rows) == sorted(theirs)
    report = check(stack, engines=("trino",))
    assert findings(report) == set()
    rows = of_shop(report)
    assert {table for table, _ in rows} == {
        f"shop.{name}" for name in commit.tables_of("shop") if name != "cdc_heartbeat"
    }
    assert all(rows[table, "postgres"] == rows[table, "trino"] for table, _ in rows)
    assert not [reason for reason in report.unknown if "shop" in reason or "postgres" in reason]


def test_every_engine_sees_the_same_rows_at_one_hash(stack: Stack, client: SupervisorClient) -> None:
    statement = "SELECT status, count(*), sum(amount) FROM lake.shop.payments GROUP BY status"
    commit, by_trino = ask(stack, statement)
    _, by_flink = ask(stack, statement, engine="flink", at=commit.hash)
    assert sorted(map(list, by_trino.rows)) == sorted(map(list, by_flink.rows))


def test_a_stopped_capture_keeps_its_place_and_goes_on(stack: Stack, client: SupervisorClient) -> None:
    client.stop("shop-capture")
    assert SHOP not in present(stack)
    commands.await_state(stack, "shop", "STOPPED")
    before = history.newest(stack)
    _one_more(stack)
    client.up(("shop-capture",))
    assert SHOP in present(stack)
    commit = covering(stack, now_us())
    assert commit.states["shop"].checkpoint > before.states["shop"].checkpoint
    assert findings(check(stack, engines=("trino",))) == set()


def _one_more(stack: Stack) -> None:
    with (
        postgres_session.connection(stack, "postgres", "postgres-root", 30.0, "shop") as session,
        session.transaction(),
    ):
        write(session)


def test_rows_changed_past_capture_are_found_by_table_and_key(stack: Stack, client: SupervisorClient) -> None:
    gone, changed = (key for (key,) in root(stack, "SELECT id FROM support.cases ORDER BY id LIMIT 2"))
    ((told,),) = root(stack, "SELECT id FROM notification.notifications LIMIT 1")
    for table in ("support.cases", "notification.notifications"):
        root(stack, f"ALTER PUBLICATION lake DROP TABLE {table}")
    root(stack, "DELETE FROM support.cases WHERE id = $1", gone)
    root(stack, "UPDATE support.cases SET subject = 'another' WHERE id = $1", changed)
    root(stack, "UPDATE notification.notifications SET body = 'another' WHERE id = $1", told)
    for table in ("support.cases", "notification.notifications"):
        root(stack, f"ALTER PUBLICATION lake ADD TABLE {table}")
    report = check(stack, engines=("trino",))
    assert findings(report) == {
        ("shop.cases", Wrong.PHANTOM, str(gone)),
        ("shop.cases", Wrong.STALE, str(changed)),
        ("shop.notifications", Wrong.STALE, str(told)),
    }
    # Written once more they are captured. A repair of the column compares the lake's values with the table's.
    root(stack, "UPDATE support.cases SET subject = subject WHERE id = $1", changed)
    root(stack, "UPDATE notification.notifications SET body = body WHERE id = $1", told)


def order(order: str) -> Callable[[Stack], object]:
    return lambda stack: commands.send(stack, "PUT", f"/connectors/shop/{order}")


def cancel_the_job(stack: Stack) -> None:
    base = f"{stack.url('flink-jobmanager')}/jobs"
    jobs = httpx.get(f"{base}/overview", trust_env=False).json()["jobs"]
    mine = next(job["jid"] for job in jobs if job["name"] == "lake-shop" and job["state"] == "RUNNING")
    httpx.patch(f"{base}/{mine}?mode=cancel", trust_env=False).raise_for_status()


TROUBLE: tuple[tuple[str, Callable[[Stack], object]], ...] = (
    ("shop_paused_connector", order("pause")),
    ("shop_stopped_connector", order("stop")),
    ("shop_deleted_connector", lambda stack: commands.send(stack, "DELETE", "/connectors/shop")),
    ("shop_connector_login_rejected", lambda stack: root(stack, "ALTER ROLE cdc PASSWORD 'another'")),
    ("shop_connector_grant_lost", lambda stack: root(stack, "ALTER ROLE cdc NOREPLICATION")),
    ("shop_job_ended", cancel_the_job),
    (
        "shop_unannounced_column",
        lambda stack: root(stack, "ALTER TABLE payment.payments ADD COLUMN gift_note text DEFAULT 'none'"),
    ),
    (
        "shop_renamed_column",
        lambda stack: root(stack, "ALTER TABLE support.cases RENAME COLUMN subject TO title"),
    ),
)


def await_diagnosis(stack: Stack, wanted: list[str]) -> Diagnosis:
    """One that names these causes, and has nothing out of range besides."""
    last: list[str] = []

    def look() -> Diagnosis | None:
        found = examine(stack, scenario_folders()).diagnosis
        last[:] = [*(finding.cause.id for finding in found.findings), *(seen.reading.probe for seen in found.unknown)]
        return found if last == wanted else None

    return Deadline(90).wait_for(f"diagnosis: {wanted or 'healthy'}", look, seen=lambda: " ".join(last))


def mend(stack: Stack, cause: str) -> None:
    """Once that cause alone is named, what is proposed for it."""
    found = await_diagnosis(stack, [cause])
    known = all_mitigations(OURS)
    for step in found.findings[0].cause.repairs:
        print(parse_arguments(known[step.id], step.arguments, step.id).run(stack))


@pytest.mark.parametrize(("cause", "make"), TROUBLE, ids=[name for name, _ in TROUBLE])
def test_trouble_of_this_capture_is_called_by_its_own_name_and_its_repair_mends_it(
    stack: Stack, client: SupervisorClient, cause: str, make: Callable[[Stack], object]
) -> None:
    await_diagnosis(stack, [])
    make(stack)
    mend(stack, cause)
    await_diagnosis(stack, [])


def drop_the_slot(stack: Stack) -> None:
    """As somebody by hand; the connector is left stopped."""
    commands.send(stack, "PUT", "/connectors/shop/stop")
    commands.await_state(stack, "shop", "STOPPED")
    Deadline(30).wait_for(
        "the slot to be free",
        lambda: None if root(stack, "SELECT 1 FROM pg_replication_slots WHERE active") else True,
    )
    root(stack, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")


def test_a_slot_that_is_gone_is_said_and_not_made_anew(stack: Stack, client: SupervisorClient) -> None:
    drop_the_slot(stack)
    commands.send(stack, "PUT", "/connectors/shop/resume")

    def failed() -> str | None:
        status = commands.send(stack, "GET", "/connectors/shop/status")
        return next((task["trace"] for task in status["tasks"] if task["state"] == "FAILED"), None)

    Deadline(90).wait_for("the task to fail", failed)

    def told() -> str | None:
        health = httpx.get(f"{stack.url('shop-capture')}/health", trust_env=False).json()
        slot = str(health["dependencies"]["slot"])
        return slot if "has no slot lake" in slot else None

    assert "A lost slot" in Deadline(30).wait_for("its health to tell", told)


def parts_at(stack: Stack, commits: list[PublishedCommit]) -> list[int]:
    """How many payments each of these hashes shows in part, or with an event twice."""
    found = []
    for commit in commits:
        _, answer = ask(stack, PARTS, at=commit.hash)
        found.append(int(answer.rows[0][0]))
    return found


def lakeproof(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from lakeproof.cli.app import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_new_slot_reads_all_rows_anew_and_nothing_stands_twice_or_is_left_over(
    stack: Stack, client: SupervisorClient
) -> None:
    """As docs/capture.md says, "A lost slot": diagnosed, mended by the command, and whole then."""
    if commands.send(stack, "GET", "/connectors/shop/status")["tasks"][0]["state"] == "RUNNING":
        for _ in range(3):
            _one_more(stack)
        covering(stack, now_us())
        assert lakeproof("capture", "new-slot", "shop", "--yes").returncode == 2  # it keeps its place
    drop_the_slot(stack)
    commands.send(stack, "PUT", "/connectors/shop/resume")
    deleted, changed = (key for (key,) in root(stack, "SELECT id FROM support.cases ORDER BY id DESC LIMIT 2"))
    root(stack, "DELETE FROM support.cases WHERE id = $1", deleted)
    root(stack, "UPDATE support.cases SET subject = 'in the gap' WHERE id = $1", changed)
    _one_more(stack)

    await_diagnosis(stack, ["shop_slot_missing"])
    shown = lakeproof("capture", "new-slot", "shop")
    assert (shown.returncode, "nothing was done" in shown.stdout + shown.stderr) == (0, True), shown.stderr
    assert root(stack, "SELECT 1 FROM pg_replication_slots") == []

    before = history.newest(stack)
    done = lakeproof("capture", "new-slot", "shop", "--yes")
    assert done.returncode == 0, done.stderr
    commits = [each for each in history.log(stack, 200) if each.moved == "shop" and each.at > before.at]
    print(f"published of shop meanwhile: {len(commits)}; parts at each:", parts := parts_at(stack, commits))
    assert parts and set(parts) == {0}
    print(done.stdout + done.stderr)
    again = lakeproof("capture", "new-slot", "shop", "--yes")
    assert (again.returncode, "keeps its place" in again.stderr) == (2, True), again.stderr

    _one_more(stack)
    commit = covering(stack, now_us())
    _, answer = ask(stack, f"SELECT subject FROM lake.shop.cases WHERE id = {changed}", at=commit.hash)
    assert [tuple(row) for row in answer.rows] == [("in the gap",)]
    # Nothing stands twice, and what was deleted in the gap is gone.
    assert findings(check(stack, engines=("trino",))) == set()
    _, answer = ask(stack, f"SELECT id FROM lake.shop.cases WHERE id = {deleted}", at=commit.hash)
    assert list(answer.rows) == []
    await_diagnosis(stack, [])


def test_a_gap_in_its_topic_is_named_and_mended_by_reading_all_rows_anew(
    stack: Stack, client: SupervisorClient
) -> None:
    """What the job had not read is deleted while its TaskManager is away. The repair is killed on its way."""
    client.stop("flink-taskmanager")
    for _ in range(3):
        _one_more(stack)
    time.sleep(5)  # until they are in the topic
    print(kafka.EmptyTopic(topic=SHOP.topic).run(stack))
    client.up(["flink-taskmanager"])
    await_diagnosis(stack, ["shop_topic_gap"])
    script = (
        "from lakeproof.mitigations.capture_gaps import BridgeTopicGap;"
        "from lakeproof.stack.stack import load_stack;"
        "BridgeTopicGap(connector='shop').run(load_stack())"
    )
    for seconds in (4.0, 8.0, 12.0, 16.0):
        with subprocess.Popen([sys.executable, "-c", script]) as repairing:
            time.sleep(seconds)
            repairing.kill()
        await_diagnosis(stack, ["shop_topic_gap"])
    print(capture_gaps.BridgeTopicGap(connector="shop").run(stack))
    _one_more(stack)
    covering(stack, now_us())
    assert findings(check(stack, engines=("trino",))) == set()
    await_diagnosis(stack, [])


def skip_updates(stack: Stack) -> None:
    config = live_config(stack, "shop")
    assert config is not None
    commands.send(stack, "PUT", "/connectors/shop/config", body=config | {"skipped.operations": "u"})
    commands.await_state(stack, "shop", "RUNNING")


def leave_payments_out(stack: Stack) -> None:
    root(stack, "ALTER PUBLICATION lake DROP TABLE payment.payments")


def drop_publication(stack: Stack) -> None:
    root(stack, "DROP PUBLICATION lake")


@pytest.mark.parametrize(
    ("cause", "make"),
    [
        ("shop_connector_changed", skip_updates),
        ("shop_log_changed", leave_payments_out),
        ("shop_log_changed", drop_publication),
    ],
)
def test_what_this_capture_passed_over_is_named_and_comes_by_reading_all_rows_anew(
    stack: Stack, client: SupervisorClient, cause: str, make: Callable[[Stack], object]
) -> None:
    """The connector runs on, and nothing else tells of it."""
    await_diagnosis(stack, [])
    make(stack)
    for _ in range(3):
        _one_more(stack)
    mend(stack, cause)
    _one_more(stack)
    covering(stack, now_us())
    assert findings(check(stack, engines=("trino",))) == set()
    await_diagnosis(stack, [])


def test_this_captures_topic_that_somebody_deleted_is_made_anew_and_all_rows_are_read_anew(
    stack: Stack, client: SupervisorClient
) -> None:
    await_diagnosis(stack, [])
    admin = AdminClient({"bootstrap.servers": stack.address("kafka", "tcp")})
    admin.delete_topics([SHOP.topic])[SHOP.topic].result(20)
    for _ in range(3):
        _one_more(stack)
    for cause in ("shop_topic_changed", "shop_topic_gap"):
        mend(stack, cause)
    _one_more(stack)
    covering(stack, now_us())
    assert findings(check(stack, engines=("trino",))) == set()
    await_diagnosis(stack, [])
