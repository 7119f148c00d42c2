"""Spark by itself: it starts, answers, cancels, refuses to write, dies and comes back, and shows no key."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.engines.health import await_health

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.query.answer import EngineUnreachable, StatementFailed
from lakeproof.lake.query.spark import SparkClient, pinned_spark
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines.spark import TOKEN, ready
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(300)]

# Minutes of two cores.
ENDLESS = "SELECT count(*) FROM range(100000000) AS a CROSS JOIN range(100000) AS b WHERE a.id % 7 + b.id % 5 = 1"


@pytest.fixture
def running(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    """Spark and what its catalog asks."""
    return up("spark")


@pytest.fixture
def spark(stack: Stack, running: SupervisorClient) -> Iterator[SparkClient]:
    """Statements that see no lake."""
    with pinned_spark(stack, None, Deadline(60)) as client:
        yield client


def cores_used(client: SupervisorClient, seconds: float = 2.0) -> float:
    """By its process, over so long."""
    pid = client.row("spark").pid
    assert pid is not None
    return psutil.Process(pid).cpu_percent(interval=seconds) / 100


def test_it_answers_a_real_question_with_exact_values(spark: SparkClient) -> None:
    answer = spark.run(
        "SELECT id AS \"key\", CAST(1.20 AS DECIMAL(12, 2)) AS d, TIMESTAMP_NTZ '2026-11-24 10:00:00.00001' AS t, "
        "TIMESTAMP '2026-11-24 10:00:00' AS z, 'it''s \\ back' AS s, array(1, NULL) AS a, CAST('NaN' AS DOUBLE) AS f "
        "FROM range(2) WHERE id = 1",
        Deadline(60),
    )
    assert [column.name for column in answer.columns] == ["key", "d", "t", "z", "s", "a", "f"]
    assert [column.type for column in answer.columns][:4] == ["bigint", "decimal(12,2)", "timestamp_ntz", "timestamp"]
    moment, zoned = "2026-11-24 10:00:00.000010", "2026-11-24 10:00:00.000000 UTC"
    assert [list(row) for row in answer.rows] == [[1, "1.20", moment, zoned, "it's \\ back", [1, None], "NaN"]]


def test_many_rows_come_whole_and_in_order(spark: SparkClient) -> None:
    answer = spark.run("SELECT id FROM range(30001) ORDER BY id DESC", Deadline(60))
    assert [row[0] for row in answer.rows] == list(range(30000, -1, -1))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT nope FROM range(1)", "UNRESOLVED_COLUMN"),
        ("SELECT 1 FRM x", "PARSE_SYNTAX_ERROR"),
        ("SELECT 1 / (id - id) FROM range(3)", "DIVIDE_BY_ZERO"),
        ("SELECT * FROM oltp.orders", "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELECT * FROM text.`/etc/passwd`", "TABLE_OR_VIEW_NOT_FOUND"),
        ("SELECT java_method('java.lang.System', 'getenv', 'HOME')", "UNRESOLVED_ROUTINE"),
    ],
)
def test_a_failing_statement_is_one_line_in_spark_s_own_words(spark: SparkClient, sql: str, told: str) -> None:
    with pytest.raises(StatementFailed, match=told) as failed:
        spark.run(sql, Deadline(60))
    assert "\n" not in failed.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE mine (id BIGINT)",
        "WITH a AS (SELECT 1) INSERT INTO b SELECT * FROM a",
        "SET spark.sql.runSQLOnFiles = true",
        "CREATE TEMPORARY VIEW v AS SELECT 1",
        "ADD JAR '/tmp/x.jar'",
    ],
)
def test_the_server_itself_refuses_what_does_not_read(spark: SparkClient, sql: str) -> None:
    with pytest.raises(StatementFailed, match="NO_READING_STATEMENT"):
        spark.run(sql, Deadline(60))


def test_past_its_deadline_a_statement_is_cancelled(spark: SparkClient, running: SupervisorClient) -> None:
    asked = Deadline(60)
    with pytest.raises(EngineUnreachable, match="it was cancelled"):
        spark.run(ENDLESS, Deadline(3))
    assert asked.elapsed < 6
    Deadline(20).wait_for("its cores to be free", lambda: cores_used(running) < 0.3 or None)


def test_a_long_statement_neither_hides_the_server_nor_stops_another(stack: Stack, spark: SparkClient) -> None:
    ended: list[Exception] = []

    def ask_long() -> None:
        try:
            spark.run(ENDLESS, Deadline(8))
        except CouldNotLook as error:
            ended.append(error)

    long = threading.Thread(target=ask_long)
    long.start()
    time.sleep(1.0)  # it is under way
    ready(stack, 3.0)
    rows = spark.run("SELECT count(*) FROM range(1000)", Deadline(60)).rows
    long.join()
    assert (list(rows[0]), len(ended)) == ([1000], 1)


def test_without_the_token_nothing_is_answered(stack: Stack, running: SupervisorClient) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}):
        for method, path in (("GET", "/health"), ("POST", "/v1/statements")):
            answer = httpx.request(method, f"{stack.url('spark')}{path}", headers=headers, trust_env=False)
            assert answer.status_code == 401


def test_it_listens_on_loopback_only_and_shows_no_key(stack: Stack, running: SupervisorClient) -> None:
    pid = running.row("spark").pid
    process = psutil.Process(pid)
    listening = [each.laddr for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    assert {address.port for address in listening} == {
        stack.port("spark", kind) for kind in ("http", "rpc", "blocks")
    }
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    files = [path for path in Path(stack.etc_dir("spark")).rglob("*") if path.is_file()]
    texts = [path.read_bytes().decode(errors="replace") for path in [*files, stack.log_path("spark")]]
    for key in (stack.secret(name) for name in ("s3-access-key", "s3-secret-key", TOKEN)):
        assert [text for text in [*texts, " ".join(process.cmdline())] if key in text] == []


def test_a_stopped_process_is_seen_as_unhealthy(stack: Stack, running: SupervisorClient) -> None:
    running.kill("spark", "STOP")
    try:
        with pytest.raises(NotReady):
            ready(stack, 1.0)
        await_health(running, "spark", "unhealthy")
        with pytest.raises(CouldNotLook, match="spark"), pinned_spark(stack, None, Deadline(10)):
            pass
    finally:
        running.kill("spark", "CONT")
    await_health(running, "spark", "healthy")


def test_a_killed_one_comes_back_and_answers(stack: Stack, running: SupervisorClient) -> None:
    restarts = running.row("spark").restarts
    running.kill("spark")
    await_health(running, "spark", "healthy", restarts=restarts)
    with pinned_spark(stack, None, Deadline(60)) as client:
        assert list(client.run("SELECT count(*) FROM range(10)", Deadline(60)).rows[0]) == [10]


def test_once_stopped_it_leaves_nothing_and_who_asks_starts_it(stack: Stack, running: SupervisorClient) -> None:
    with pinned_spark(stack, None, Deadline(60)) as client:
        client.run("SELECT id % 5, count(*) FROM range(100000) GROUP BY 1", Deadline(60))
    running.stop("spark")
    assert files_under(stack.data_dir("spark")) == []
    heard: list[str] = []
    with pinned_spark(stack, None, Deadline(90), heard.append) as client:
        assert list(client.run("VALUES 1", Deadline(60)).rows[0]) == [1]
    assert "spark: starting" in heard


def files_under(folder: Path) -> list[Any]:
    """Files, not folders."""
    return [path for path in folder.rglob("*") if path.is_file()]
