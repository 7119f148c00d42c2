"""Spark on what the whole path published: exact at one hash, over deletion vectors, and equal to Trino."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.published_commit import published_commit

from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.history import NothingPublished
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.asking import ask
from lakeproof.lake.query.spark import pinned_spark
from lakeproof.ledger.calls import now_us
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.checking import check
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.traffic import of_stack, serve_in_new_loop

PROGRAM = Path(sys.executable).with_name("lakeproof")

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(600)]

TOTALS = "SELECT count(*), count(DISTINCT id), sum(total), sum(version), max(updated_at) FROM oltp.orders"


@pytest.fixture(scope="module")
def traded(stack: Stack, up: Callable[..., SupervisorClient]) -> SupervisorClient:
    """The whole path with some orders, and Spark."""
    client = up("publisher", "trino", "flink-taskmanager", "connect", "lag-exporter", "order-service", "spark")
    serve_in_new_loop(of_stack(stack, rate=20.0, seed=1, run="spark"), 10.0)
    covering(stack)
    return client


def in_mariadb(stack: Stack, *statements: str) -> list[tuple[Any, ...]]:
    """Committed one by one; the rows of the last one."""
    with mysql.connect(stack, "root", "mysql-root", 10.0) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def covering(stack: Stack) -> PublishedCommit:
    """The first published hash that covers now."""
    instant = now_us()

    def look() -> PublishedCommit | None:
        try:
            found = history.newest(stack)
        except NothingPublished:  # the first checkpoint is under way
            return None
        return found if (found.plain.beat_us or 0) >= instant else None

    return Deadline(60).wait_for("a hash that covers now", look, every=0.3)


def changed_with_vectors(stack: Stack) -> PublishedCommit | None:
    """A published state after updates and deletes, if its table has deletion vectors now: compaction ends them."""
    in_mariadb(
        stack,
        "UPDATE oltp.orders SET total = total + 1, updated_at = UTC_TIMESTAMP(6) WHERE id % 7 = 0",
        "DELETE FROM oltp.orders ORDER BY id LIMIT 2",
    )
    commit = covering(stack)
    sql = "SELECT count(*) FROM oltp.orders.delete_files WHERE file_format = 'PUFFIN' AND record_count > 0"
    _, vectors = ask(stack, sql, engine="spark", at=commit.hash)
    return commit if vectors.rows[0][0] > 0 else None


def test_it_counts_exactly_over_deletion_vectors(stack: Stack, traded: SupervisorClient) -> None:
    covering(stack)
    at = Deadline(120).wait_for("a published state with deletion vectors", lambda: changed_with_vectors(stack))
    truth = [str(value) for value in in_mariadb(stack, TOTALS)[0]]
    for engine in ("spark", "trino"):
        _, answer = ask(stack, TOTALS, engine=engine, at=at.hash)
        assert [str(value) for value in answer.rows[0]] == truth


def test_an_older_hash_stays_as_it_was(stack: Stack, traded: SupervisorClient) -> None:
    old = covering(stack)
    _, before = ask(stack, TOTALS, engine="spark", at=old.hash)
    in_mariadb(stack, "DELETE FROM oltp.orders ORDER BY id LIMIT 3")
    new = covering(stack)
    _, again = ask(stack, TOTALS, engine="spark", at=old.hash)
    _, after = ask(stack, TOTALS.replace("oltp.orders", "lake.oltp.orders"), engine="spark", at=new.hash)
    assert again.rows == before.rows
    assert after.rows[0][0] == before.rows[0][0] - 3


def test_a_hash_that_does_not_exist_is_wrong_input_and_spark_knows_none_either(
    stack: Stack, traded: SupervisorClient
) -> None:
    with pytest.raises(InvalidInput):
        ask(stack, "SELECT 1", engine="spark", at="abcdef0123")
    newest = history.newest(stack)
    unknown = published_commit("ab" * 32, newest.at, 1, None, None, {}, newest.readable_until)
    with pinned_spark(stack, unknown, Deadline(60)) as client, pytest.raises(StatementFailed):
        client.run("SELECT count(*) FROM oltp.orders", Deadline(60))


def test_the_pinned_catalog_refuses_to_write_even_where_the_words_would_pass(
    stack: Stack, traded: SupervisorClient
) -> None:
    with pytest.raises(InvalidInput, match="no reading statement"):
        ask(stack, "DELETE FROM oltp.orders", engine="spark")
    with pinned_spark(stack, history.newest(stack), Deadline(60)) as client:
        for statement in ("DELETE FROM oltp.orders", "ALTER TABLE oltp.orders DROP COLUMN total"):
            with pytest.raises(StatementFailed, match="NO_READING_STATEMENT"):
                client.run(statement, Deadline(60))


def test_query_prints_spark_s_answer_as_the_other_engines_answers(stack: Stack, traded: SupervisorClient) -> None:
    statement = "SELECT status, count(*) AS n, sum(total) AS money FROM oltp.orders GROUP BY status ORDER BY status"
    at = history.newest(stack).hash
    shown = {}
    for engine in ("trino", "spark"):
        command = [str(PROGRAM), "query", "--json", "--engine", engine, "--at", at, statement]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        shown[engine] = json.loads(ended.stdout)
    assert (shown["spark"]["engine"], shown["spark"]["nessie_hash"]) == ("spark", at)
    assert shown["spark"]["rows"] == shown["trino"]["rows"] != []
    assert shown["spark"].keys() == shown["trino"].keys()
    assert [column["name"] for column in shown["spark"]["columns"]] == ["status", "n", "money"]


def test_where_spark_is_up_the_check_asks_it_too_and_says_when_it_is_ill(
    stack: Stack, traded: SupervisorClient
) -> None:
    traded.kill("spark", "STOP")
    try:
        report = check(stack)
    finally:
        traded.kill("spark", "CONT")
    assert report.outcome is not Outcome.PASSED
    assert any("spark" in reason for reason in report.unknown)
