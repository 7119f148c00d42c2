"""The check on the whole path: passes under traffic, and finds what was done behind the shoppers' back, by key."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest
from tests.customers.lying_shop import lying_shop

from lakeproof.checks.verdict import Outcome
from lakeproof.errors import InvalidInput
from lakeproof.lake.publish import history
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources.source import OLTP
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.audit import audit_published
from lakeproof.proof.checking import AS_ASKED, check
from lakeproof.proof.findings import Wrong
from lakeproof.proof.report import CheckReport
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.traffic import of_stack, serve_in_new_loop

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

ORDERS = 50


@pytest.fixture(scope="module")
def traded(stack: Stack, up: Callable[..., SupervisorClient]) -> SupervisorClient:
    """The whole path, with some orders that went through it."""
    client = up("publisher", "trino", "flink-taskmanager", "connect", "lag-exporter", "order-service")
    serve_in_new_loop(of_stack(stack, rate=20.0, seed=1, run="integrity"), 10.0)
    return client


def sql(stack: Stack, statement: str) -> list[tuple[object, ...]]:
    """One statement as the order service's database user, as somebody behind its back would."""
    host, port = stack.host_port("mysql")
    password = stack.secret("mysql-order-service")
    connection = pymysql.connect(host=host, port=port, user="order_service", password=password, autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
    finally:
        connection.close()


def keys(report: CheckReport, engine: str, wrong: Wrong) -> set[str]:
    """Keys of `orders` that are wrong in that way in that engine."""
    return {
        finding.key
        for table in report.tables
        if (table.table, table.engine) == ("orders", engine)
        for finding in table.findings
        if finding.wrong is wrong
    }


def test_ledger_database_and_both_engines_agree(stack: Stack, traded: SupervisorClient) -> None:
    report = check(stack, cover_seconds=180)
    assert (report.outcome, report.unknown) == (Outcome.PASSED, ())
    assert report.orders > ORDERS
    assert {table.engine for table in report.tables} == {"mysql", "trino", "flink"}
    assert [claim.violations for claim in report.across] == [0] * len(report.across)


def test_both_engines_answer_the_same_at_one_hash(stack: Stack, traded: SupervisorClient) -> None:
    statement = "SELECT status, count(*), sum(total) FROM lake.oltp.orders GROUP BY status"
    commit, by_trino = ask(stack, statement)
    _, by_flink = ask(stack, statement, engine="flink", at=commit.hash)
    assert sorted(map(list, by_trino.rows)) == sorted(map(list, by_flink.rows))


@pytest.mark.proof
def test_spark_agrees_where_it_is_asked_for_and_is_the_second_engine_while_it_is_up(
    stack: Stack, traded: SupervisorClient
) -> None:
    for engines in (("trino", "spark"), None):
        report = check(stack, engines=engines)
        assert (report.outcome, report.unknown) == (Outcome.PASSED, ())
        assert "spark" in {table["engine"] for table in report.as_json()["tables"]}  # type: ignore[attr-defined]
        agree = [claim for claim in report.across if claim.claim.startswith("engines agree")]
        assert [(claim.violations, "spark" in claim.claim) for claim in agree] == [(0, True)]
    assert {table.engine for table in report.tables} == {"mysql", "trino", "spark"}


def test_a_hash_that_does_not_exist_is_wrong_input(stack: Stack, traded: SupervisorClient) -> None:
    with pytest.raises(InvalidInput):
        ask(stack, "SELECT 1", at="abcdef0123")
    with pytest.raises(StatementFailed):
        ask(stack, "SELECT nope FROM orders")


def test_an_engine_that_is_away_makes_the_check_unknown(stack: Stack, traded: SupervisorClient) -> None:
    traded.stop("trino")
    report = check(stack, engines=("trino",))
    traded.start("trino")
    assert report.outcome is Outcome.UNKNOWN
    assert any("trino" in reason for reason in report.unknown)


def test_a_ledger_that_cannot_be_read_makes_the_check_unknown(stack: Stack, traded: SupervisorClient) -> None:
    rubbish = Path(stack.ledger_dir) / "rubbish.jsonl"
    rubbish.write_text("not a ledger\nat all\n")
    report = check(stack, engines=("trino",))
    rubbish.unlink()
    assert report.outcome is Outcome.UNKNOWN


def test_orders_deleted_and_changed_by_sql_are_found_with_their_keys(stack: Stack, traded: SupervisorClient) -> None:
    rows = sql(stack, "SELECT id, client_key FROM oltp.orders ORDER BY id LIMIT 11")
    gone, changed = rows[:10], rows[10]
    sql(stack, f"DELETE FROM oltp.orders WHERE id IN ({', '.join(str(id_) for id_, _ in gone)})")
    sql(stack, f"UPDATE oltp.orders SET total = total + 1 WHERE id = {changed[0]}")
    report = check(stack, engines=("trino",), cover_seconds=180)
    assert report.outcome is Outcome.FAILED
    for engine in ("mysql", "trino"):
        assert keys(report, engine, Wrong.LOST) == {str(key) for _, key in gone}
        assert keys(report, engine, Wrong.PHANTOM) == {str(changed[1])}
    # The source itself is broken and the lake tells the truth: no reason to freeze what is published.
    audited = audit_published(stack, OLTP, None)
    # How many hashes it comes to within its time is the machine's affair.
    assert audited.finding is None and audited.judged >= 1


@pytest.mark.proof  # until it was green three times in a row
def test_a_shop_that_stores_something_else_or_does_what_it_refused_is_found_on_every_store(
    stack: Stack, traded: SupervisorClient
) -> None:
    """Ledger, database and lake agreed on what the shop had said, which nobody had asked for."""
    with lying_shop(stack.url("order-service")) as (url, lies):
        report = serve_in_new_loop(of_stack(stack, rate=10.0, seed=4, run="lies", base_url=url), 10.0)
    assert report.counts.mismatched == len(lies.dearer) > 0
    assert {words.partition(":")[0] for words in report.mismatches} <= set(lies.dearer)
    seen = check(stack, engines=("trino",))
    assert seen.outcome is Outcome.FAILED
    (claim,) = (claim for claim in seen.across if claim.claim == AS_ASKED)
    assert {words.partition(":")[0] for words in claim.keys} == set(lies.dearer)
    for engine in ("mysql", "trino"):
        assert set(lies.refused_and_paid) <= keys(seen, engine, Wrong.PHANTOM)
    assert lies.refused_and_paid


@pytest.mark.proof  # until it was green three times in a row
def test_what_a_hash_need_not_show_is_said_with_and_without_waiting(stack: Stack, traded: SupervisorClient) -> None:
    for cover_now in (True, False):
        cut = check(stack, engines=("trino",), cover_now=cover_now).cut
        assert cut is not None and cut.heartbeat_us and cut.age_seconds is not None and cut.excused >= 0


@pytest.mark.proof  # until it was green three times in a row
def test_a_hash_whose_heartbeats_are_gone_excuses_everything_and_is_unknown(
    stack: Stack, traded: SupervisorClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = history.newest(stack)
    silent = replace(commit, states={**commit.states, "oltp": replace(commit.plain, beat_us=None)})
    monkeypatch.setattr(history, "newest", lambda stack: silent)
    report = check(stack, engines=("trino",), cover_now=False)
    assert [reason for reason in report.unknown if "no heartbeat" in reason]
    assert report.cut is not None and report.cut.excused == report.acknowledged
