"""A row deleted from the lake by somebody who writes to the table itself: `check` names the order or payment that it
was, the minute's audit tells of it, and a bridge gives the lake MariaDB's row back.

On a stack of its own: capture has delivered the row once and for all, and nothing gives PostgreSQL's back.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.drills_real.health import assert_clean, await_health

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.lake.capture.rewriting import write_to_lake
from lakeproof.lake.job.flink_rest import ALIVE, rest_of
from lakeproof.lake.job.writer import writer_of
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.mitigations import capture_gaps
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack, load_stack
from lakeproof_shop.scenarios.flink_restarts import repairs

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")


AGAIN = "INSERT INTO store.oltp.order_events SELECT * FROM store.oltp.order_events WHERE id <= 20"
KILLS = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0)


@pytest.fixture(scope="module")
def bought(whole_stack: Stack, lakeproof: Run) -> Iterator[Stack]:
    """A stack of its own, on the ports of the drills' one, with orders that are all in the lake."""
    SupervisorClient(whole_stack).down()
    state_dir = Path(f"{whole_stack.state_dir}-behind")
    state_dir.mkdir(mode=0o755)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LAKEPROOF_NAME", "behind")
        environment.setenv("LAKEPROOF_STATE_DIR", str(state_dir))
        stack = load_stack()
        try:
            SupervisorClient(stack).up()
            await_health(lakeproof)
            shop(lakeproof)
            assert_clean(lakeproof)
            yield stack
        finally:
            SupervisorClient(stack).down()
            shutil.rmtree(state_dir, ignore_errors=True)


def shop(lakeproof: Run) -> None:
    assert lakeproof("traffic", "--rate", "20", "--seconds", "10", seconds=120).code == 0


def an_order(stack: Stack) -> tuple[int, str]:
    """Id and client key of the first order that there still is."""
    with mysql.connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, client_key FROM oltp.orders ORDER BY id LIMIT 1")
        ((id_, client_key),) = cursor.fetchall()
    return int(id_), str(client_key)


def a_payment(stack: Stack) -> int:
    """Id of a new payment, in two versions with their events, as the payment service writes it."""
    with (
        postgres_session.connection(stack, "postgres", "postgres-root", 10.0, "shop") as session,
        session.transaction(),
    ):
        ((id_,),) = session.rows(
            "INSERT INTO payment.payments (order_id, customer_id, card_fingerprint, status, amount, authorized,"
            " captured, refunded, version, created_at, updated_at)"
            " VALUES (7000000007, 1, 'f', 'captured', 12.30, 12.30, 12.30, 0, 2, now(), now()) RETURNING id"
        )
        for version, type_, captured in ((1, "authorized", "0"), (2, "captured", "12.30")):
            session.rows(
                "INSERT INTO payment.payment_events (payment_id, version, type, amount, status, authorized, captured,"
                f" refunded, at) VALUES ($1, $2, $3, 12.30, $3, 12.30, {captured}, 0, clock_timestamp())",
                id_,
                version,
                type_,
            )
    return int(id_)


def await_published(lakeproof: Run, table: str, id_: int, rows: int) -> None:
    """Until the newest published hash has so many rows of that id."""

    def look() -> bool | None:
        asked = lakeproof("query", f"SELECT count(*) FROM {table} WHERE id = {id_}", "--json", seconds=60)
        if asked.code != 0:
            raise NotReady(asked.err, where="query")
        return True if json.loads(asked.out)["rows"] == [[rows]] else None

    Deadline(240).wait_for(f"a published state with {rows} rows of {id_} in {table}", look)


def audits(stack: Stack) -> dict[str, dict[str, Any]]:
    """The newest full audit of each database, as the publisher's /health tells it."""
    told: dict[str, dict[str, Any]] = httpx.get(
        stack.url("publisher") + "/health", timeout=10, trust_env=False
    ).json()
    return told["full_audit"]


def await_audit(stack: Stack, source: Source, outcome: str) -> dict[str, Any]:
    """The first full audit of the source with that outcome that began from now on."""
    since, last = time.time(), ""

    def look() -> dict[str, Any] | None:
        nonlocal last
        found = audits(stack).get(source.name, {})
        last = str(found)
        return found if found.get("outcome") == outcome and found["at"] >= since else None

    return Deadline(240).wait_for(f"an audit of {source.name} that ends as {outcome}", look, seen=lambda: last)


def firing(stack: Stack, alert: str) -> list[dict[str, str]]:
    """The labels of each such alert that fires, by Prometheus."""
    told = httpx.get(stack.url("prometheus") + "/api/v1/alerts", timeout=10, trust_env=False).json()["data"]["alerts"]
    return [one["labels"] for one in told if (one["labels"]["alertname"], one["state"]) == (alert, "firing")]


def counts(report: dict[str, Any], engine: str) -> dict[str, Any]:
    """What the report says of `orders` in that engine."""
    (found,) = [one for one in report["tables"] if (one["table"], one["engine"]) == ("orders", engine)]
    return {name: found[name] for name in ("lost", "duplicated", "stale", "phantom", "keys")}


def test_a_payment_deleted_from_the_lake_is_told_by_the_minutes_audit_and_main_goes_on(
    bought: Stack, lakeproof: Run
) -> None:
    """Its events are in the lake, and the payment that they tell of is not: a part of a transaction, by any look.
    PostgreSQL has the payment whole. What is wrong in its tables is told and freezes nothing (decision 0041).
    """
    SupervisorClient(bought).up(["shop-capture"])
    id_ = a_payment(bought)
    await_published(lakeproof, "shop.payments", id_, 1)
    assert await_audit(bought, SHOP, "passed")["why"] is None

    write_to_lake(bought, SHOP, f"DELETE FROM store.{SHOP.name}.payments WHERE id = {id_}")
    await_published(lakeproof, "shop.payments", id_, 0)
    told = await_audit(bought, SHOP, "failed")
    print("a payment deleted from the lake:", told)
    assert f"payment {id_}: 0 rows, 2 events, the newest is 2" in told["why"]
    at_finding = history.newest(bought).states

    def fires() -> bool | None:
        return True if firing(bought, "LakeCommitFailing") else None

    Deadline(120).wait_for("LakeCommitFailing", fires)
    ((labels),) = firing(bought, "LakeCommitFailing")
    assert (labels["database"], labels["stage"]) == (SHOP.name, "full audit")
    assert await_audit(bought, OLTP, "passed")["why"] is None
    shop(lakeproof)

    def went_on() -> bool | None:
        found = history.newest(bought).states
        names = (OLTP.name, SHOP.name)
        return True if all(found[name].checkpoint > at_finding[name].checkpoint for name in names) else None

    Deadline(60).wait_for("main to show newer checkpoints of both", went_on)

    done = lakeproof("check", "--wait-seconds", "30", "--json", seconds=300)
    report = json.loads(done.out)
    assert (done.code, report["verdict"]) == (1, "failed")
    listed = [one for one in report["findings"] if f"trino.{SHOP.name}.payments" in one["where"]]
    assert [(one["key"], one["wrong"]) for one in listed] == [(str(id_), "lost")], report["findings"]


def test_a_row_deleted_from_the_lake_behind_our_back_is_listed_as_lost_by_its_key(
    bought: Stack, lakeproof: Run
) -> None:
    id_, client_key = an_order(bought)
    write_to_lake(bought, OLTP, f"DELETE FROM store.{OLTP.name}.orders WHERE id = {id_}")
    shop(lakeproof)  # the job goes on writing to that table as before
    await_published(lakeproof, "orders", id_, 0)

    done = lakeproof("check", "--wait-seconds", "30", "--json", seconds=300)
    report = json.loads(done.out)
    print("a row deleted from the lake:", done.code, report["findings"], report["unknown"])
    assert (done.code, report["verdict"]) == (1, "failed")
    nothing = {"lost": 0, "duplicated": 0, "stale": 0, "phantom": 0, "keys": []}
    lost = nothing | {"lost": 1, "keys": [client_key]}
    assert counts(report, "mysql") == nothing
    assert [counts(report, engine) for engine in ("trino", "flink")] == [lost, lost]
    listed = [one for one in report["findings"] if "trino.orders" in one["where"]]
    assert [(one["key"], one["wrong"]) for one in listed] == [(client_key, "lost")]


def await_freeze(lakeproof: Run) -> None:
    """Until `diagnose` says that main is kept as it is, since the lake's rows are broken."""

    def look() -> bool | None:
        done = lakeproof("diagnose", "--json", seconds=60)
        assert done.out, (done.code, done.err)
        found = json.loads(done.out)
        return True if "broken_in_lake" in [cause["cause"] for cause in found["causes"]] else None

    Deadline(180).wait_for("main to be frozen", look)


def mend(lakeproof: Run, action: str, argument: str) -> str:
    """What that repair says."""
    opened = lakeproof("incident", "open", f"rows of the lake: {action}").out.split()
    done = lakeproof("mitigate", opened[0], "--action", action, "--arg", argument, "--yes", seconds=180)
    print(done.out, done.err)
    assert done.code == 0, done.err
    return str(done.out + done.err)


def assert_only_the_payment_is_wrong(lakeproof: Run) -> None:
    """That of the first test: no repair brings PostgreSQL's rows back."""
    done = lakeproof("check", "--wait-seconds", "60", "--json", seconds=300)
    report = json.loads(done.out)
    assert not report["unknown"], report["unknown"]
    places = [" ".join(one["where"]) for one in report["findings"]]
    assert places and all(f"{SHOP.name}.payment" in where for where in places), report["findings"]


def test_the_minutes_audit_keeps_main_as_it_is_until_the_row_is_brought_back(bought: Stack, lakeproof: Run) -> None:
    """The source has the order whole, so the lake is wrong: nothing is published on top of it."""
    await_freeze(lakeproof)
    assert "1 of oltp.orders" in mend(lakeproof, "bridge_capture_gap", "connector=orders")
    assert await_audit(bought, OLTP, "passed")["why"] is None
    shop(lakeproof)
    assert_only_the_payment_is_wrong(lakeproof)


def test_rows_that_a_table_without_a_key_holds_twice_go(bought: Stack, lakeproof: Run) -> None:
    """As after a connector that read all rows anew. They are not the database's to bring."""
    write_to_lake(bought, OLTP, AGAIN)
    await_freeze(lakeproof)
    told = mend(lakeproof, "bridge_capture_gap", "connector=orders")
    assert "second rows taken out: 20 of oltp.order_events" in told
    assert await_audit(bought, OLTP, "passed")["why"] is None
    shop(lakeproof)
    assert_only_the_payment_is_wrong(lakeproof)


def test_a_table_that_is_written_anew_loses_nothing_though_who_does_it_is_killed(
    bought: Stack, lakeproof: Run
) -> None:
    """Its statement may go on in the TaskManager, and would remove what the job commits beside it: who submits the
    job ends the statement first. Under shoppers, as `diagnose` proposes after each kill.
    """
    script = (
        "from lakeproof.mitigations.capture_gaps import RemoveSecondRows;"
        "from lakeproof.stack.stack import load_stack; RemoveSecondRows().run(load_stack())"
    )
    statements: list[str] = []
    sent = [str(PROGRAM), "traffic", "--rate", "20", "--seconds", "3600", "--json"]
    with subprocess.Popen(sent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as shoppers:
        try:
            for seconds in KILLS:
                write_to_lake(bought, OLTP, AGAIN)
                with subprocess.Popen([sys.executable, "-c", script]) as rewriting:
                    time.sleep(seconds)
                    rewriting.kill()
                alive = {job.name for job in rest_of(bought).jobs() if job.state in ALIVE}
                statements.append(f"{OLTP.job in alive}, {writer_of(OLTP) in alive}")
                repairs.ResubmitJob().run(bought)
                time.sleep(5)
            print("whether job and statement were there after each kill:", statements)
            print(capture_gaps.RemoveSecondRows().run(bought))
        finally:
            shoppers.send_signal(signal.SIGINT)
            out, _ = shoppers.communicate(timeout=150)
    assert json.loads(out)["acknowledged"] > 500
    assert_only_the_payment_is_wrong(lakeproof)
