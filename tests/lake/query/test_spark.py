"""What our Spark server says, as the query's answer, its error, or no answer at all."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.conftest import Answering

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.lake.query.answer import Column, EngineUnreachable, StatementFailed
from lakeproof.lake.query.spark import SparkClient, is_up, pinned_spark, start_spark
from lakeproof.proof.checking import usual_engines
from lakeproof.stack.engines.spark import ready
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

COLUMNS = {"columns": [{"name": "n", "type": "bigint"}, {"name": "d", "type": "decimal(12,2)"}]}


@contextmanager
def spark_that_says(
    answering: Answering, *lines: object, status: int = 200
) -> Iterator[tuple[SparkClient, list[str]]]:
    """A client of a server that answers these lines; and the statements that it was asked."""
    asked: list[str] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(json.loads(body)["sql"])
        return status, "".join(f"{json.dumps(line)}\n" for line in lines).encode()

    with httpx.Client(base_url=f"http://{answering(answer)}", trust_env=False) as client:
        yield SparkClient(client, "abc"), asked


def stack_at(address: str, state_dir: Path) -> Stack:
    return Stack(Settings(state_dir=state_dir, endpoints={"spark": {"http": address}}))


def test_an_answer_is_its_columns_and_all_its_rows(answering: Answering) -> None:
    lines = ({"running": 0}, COLUMNS, {"running": 2}, {"rows": [[1, "1.20"]]}, {"rows": [[2, None]]}, {"end": True})
    heard: list[str] = []
    with spark_that_says(answering, *lines) as (spark, asked):
        answer = spark.run("SELECT n, d FROM t WHERE s = 'it''s \\'", Deadline(10), progress=heard.append)
    assert answer.columns == (Column("n", "bigint"), Column("d", "decimal(12,2)"))
    assert answer.rows == ([1, "1.20"], [2, None])
    assert asked == ["SELECT n, d FROM t WHERE s = 'it\\'s \\\\'"]
    assert "spark: 2 tasks running, 0 rows" in heard


def test_a_statement_that_fails_is_one_line_in_spark_s_words(answering: Answering) -> None:
    with (
        spark_that_says(answering, {"running": 0}, {"failed": "[NO_COLUMN] A column\n  cannot"}) as (spark, _),
        pytest.raises(StatementFailed, match=r"spark: \[NO_COLUMN\] A column cannot"),
    ):
        spark.run("SELECT nope", Deadline(10))


@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        ([COLUMNS, {"rows": [[1, "1.20"]]}], 200, "ended in the middle"),
        ([{"failed": "no or a wrong token"}], 401, "answered 401"),
    ],
    ids=["rows without an end", "a refused token"],
)
def test_what_is_no_answer_of_the_engine_is_told(
    answering: Answering, said: list[dict[str, object]], status: int, told: str
) -> None:
    with (
        spark_that_says(answering, *said, status=status) as (spark, _),
        pytest.raises(EngineUnreachable, match=told),
    ):
        spark.run("SELECT 1", Deadline(10))


def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> SparkClient:
    return SparkClient(httpx.Client(transport=httpx.MockTransport(answer), base_url="http://spark:7080"), "abc")


def test_a_line_that_is_late_is_no_answer_of_the_engine() -> None:
    """httpx's own error once left the statement, and the whole check with it."""

    def silent(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("timed out", request=request)

    with pytest.raises(EngineUnreachable, match=r"spark at http://spark:7080: no answer \(ReadTimeout\)"):
        client_of(silent).run("SELECT 1", Deadline(10))


def test_a_line_that_nobody_can_read_is_no_answer_of_the_engine() -> None:
    with pytest.raises(EngineUnreachable, match=r"no answer \(JSONDecodeError\)"):
        client_of(lambda request: httpx.Response(200, text="<html>\n")).run("SELECT 1", Deadline(10))


def test_what_goes_wrong_beside_spark_keeps_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check holds its reader open while it judges: a mistake of ours was once called Spark's silence."""
    monkeypatch.setattr("lakeproof.lake.query.spark.start_spark", lambda *_, **__: None)
    with pytest.raises(ValueError, match="ours"), pinned_spark(stack_at("127.0.0.1:9", tmp_path), None, Deadline(1)):
        raise ValueError("ours")


def test_past_its_deadline_a_statement_is_given_up(answering: Answering) -> None:
    with (
        spark_that_says(answering, {"running": 1}, {"end": True}) as (spark, _),
        pytest.raises(EngineUnreachable, match="within 0 s; it was cancelled"),
    ):
        spark.run("SELECT 1", Deadline(0))


def test_a_check_asks_spark_only_where_it_is_up(answering: Answering, tmp_path: Path) -> None:
    address = answering(lambda *_: (200, {}))
    assert usual_engines(stack_at(address, tmp_path)) == ("trino", "spark")
    assert not is_up(stack_at("127.0.0.1:9", tmp_path))
    assert usual_engines(stack_at("127.0.0.1:9", tmp_path)) == ("trino", "flink")
    assert not is_up(Stack(Settings(mode="external", state_dir=tmp_path)))


def test_whoever_else_listens_on_sparks_port_is_not_ours(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeproof.lake.query.spark._accepts", lambda stack: True)
    assert not is_up(stack)


def test_one_that_is_not_installed_says_by_which_command_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEPROOF_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EngineUnreachable, match=r"not installed.*lakeproof setup --only spark"):
        start_spark(stack_at("127.0.0.1:9", tmp_path))


def test_ready_means_that_spark_gave_its_row(answering: Answering, tmp_path: Path) -> None:
    ready(stack_at(answering(lambda *_: (200, {"rows": [[1]]})), tmp_path), 2.0)
    with pytest.raises(NotReady, match="503: Spark has stopped"):
        ready(stack_at(answering(lambda *_: (503, {"failed": "Spark has stopped"})), tmp_path), 2.0)

    def slow(*_: object) -> tuple[int, object]:
        time.sleep(1.0)
        return 200, {"rows": [[1]]}

    with pytest.raises(NotReady, match="ReadTimeout"):
        ready(stack_at(answering(slow), tmp_path), 0.2)
