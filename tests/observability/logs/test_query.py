"""Searching logs by a selector: what a query finds, and what it is for each log store."""

from pathlib import Path

import httpx
import pytest

from lakeproof.errors import InvalidInput
from lakeproof.observability.logs.query import parse
from lakeproof.observability.logs.search import in_files, in_store
from lakeproof.stack.engines import victorialogs
from lakeproof.stack.stack import Stack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kafka.log").write_text("Started\nERROR broker lost\n")
    (tmp_path / "kafka.log.1").write_text("an old error\n")
    (tmp_path / "flink-jobmanager.log").write_text("error in job one\nerror in job two\n")
    (tmp_path / "connect-2.log").write_text(
        "2026-11-26T20:12:49,258 ERROR task failed (Worker)\norg.x.DataException: bad\n\tat org.x.Y(Z.java:1)\n"
        "2026-11-26T20:12:49,260 INFO took 12 ms (Worker)\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('{container="kafka"} error', ["an old error", "ERROR broker lost"]),
        ('{container=~"flink-.*"} error two', ["error in job two"]),
        ('{container=~"kafka|flink-.*"} error !two !old !broker', ["error in job one"]),
        ('{} |= "broker lost"', ["ERROR broker lost"]),
        ('{container="kafka"}', ["an old error", "Started", "ERROR broker lost"]),
        ('{container="kafka", container!~"x.*"} started', ["Started"]),
        ('{service="connect"} |~ "took \\d+ ms"', ["2026-11-26T20:12:49,260 INFO took 12 ms (Worker)"]),
        ('{service="connect"} !~ "took [0-9]+"', ["2026-11-26T20:12:49,258 ERROR task failed (Worker)"]),
        ('{level="error", service="connect"} dataexception', ["2026-11-26T20:12:49,258 ERROR task failed (Worker)"]),
    ],
)
def test_finds_the_entries_with_all_words(folder: Path, query: str, expected: list[str]) -> None:
    assert [hit.line.split("\n")[0] for hit in in_files(folder, parse(query), 100, None)] == expected


def test_a_trace_is_one_entry_with_its_message_and_labels(folder: Path) -> None:
    (hit,) = in_files(folder, parse('{container="connect-2"} Z.java'), 100, None)
    assert (hit.time, hit.container, hit.service, hit.level) == (
        "2026-11-26T20:12:49.258Z",
        "connect-2",
        "connect",
        "error",
    )
    assert hit.line.count("\n") == 2


def test_the_newest_are_kept_and_old_ones_left_out(folder: Path) -> None:
    query = parse('{container="connect-2"}')
    assert [hit.level for hit in in_files(folder, query, 1, None)] == ["info"]
    assert in_files(folder, query, 10, 0.0) == []


@pytest.mark.parametrize(
    "query",
    [
        "error",
        '{container="kafka"',
        '{pod="kafka"}',
        "{container=kafka}",
        '{container=~"("}',
        '{level="loud"}',
        '{} |~ "("',
    ],
)
def test_a_query_that_makes_no_sense_is_refused_with_an_example(query: str) -> None:
    with pytest.raises(InvalidInput, match=r"e\.g\.|one of debug"):
        parse(query)


# The runbook's own words, and what each becomes. `docker compose logs NAME` is `lakeproof logs NAME` here; as a
# query it is the selector alone.
RUNBOOK = [
    ('container="flink-jobmanager"', '{container="flink-jobmanager"}', '{container="flink-jobmanager"}'),
    ('container="notification-service"', '{container="notification-service"}', '{container="notification-service"}'),
    ('{container="connect"}', '{container="connect"}', '{container="connect"}'),
    ('{container="fulfillment-service"}', '{container="fulfillment-service"}', '{container="fulfillment-service"}'),
    (
        '{container=~"cassandra-node.*"}',
        '{container=~"cassandra-node.*"}',
        '{container=~"cassandra-node.*",container=~".+"}',
    ),
    (
        '{container="support-service"} |~ "order-service|payment-service|fulfillment-service"',
        '{container="support-service"} _msg:~"order-service|payment-service|fulfillment-service"',
        '{container="support-service"} |~ "order-service|payment-service|fulfillment-service"',
    ),
    (
        '{container="notification-service"} error',
        '{container="notification-service"} _msg:~"(?i)error"',
        '{container="notification-service"} |~ "(?i)error"',
    ),
    (
        '{container="flink-jobmanager"} Caused',
        '{container="flink-jobmanager"} _msg:~"(?i)Caused"',
        '{container="flink-jobmanager"} |~ "(?i)Caused"',
    ),
    (
        '{level=~"error|critical"} "out of memory" !test !~ "a\\d"',
        '{level=~"error|critical"} _msg:~"(?i)out of memory" !_msg:~"(?i)test" !_msg:~"a\\\\d"',
        '{level=~"error|critical",container=~".+"} |~ "(?i)out of memory" !~ "(?i)test" !~ "a\\\\d"',
    ),
    ("{}", "*", '{container=~".+"}'),
]


@pytest.mark.parametrize(("query", "logsql", "logql"), RUNBOOK, ids=[query for query, _, _ in RUNBOOK])
def test_each_query_of_the_runbook_is_one_for_both_log_stores(query: str, logsql: str, logql: str) -> None:
    assert parse(query).to_logsql() == logsql
    assert parse(query).to_logql() == logql


def queries_of_the_runbook() -> list[str]:
    """Those of every page, in both languages."""
    import lakeproof_shop.scenarios

    found = []
    for page in Path(next(iter(lakeproof_shop.scenarios.__path__))).glob("*/runbook.*.md"):
        for line in page.read_text().splitlines():
            if "--query '" in line and "logs" in line:
                found.append(line.split("--query '")[1].split("'")[0])
    assert len(found) >= 4
    return found


def test_every_log_query_in_the_runbook_s_pages_can_be_read() -> None:
    for query in queries_of_the_runbook():
        assert parse(query).to_logsql() and parse(query).to_logql()


@pytest.mark.parametrize("word", [r"a.b*c", r"(x|y)", r"[1]", r"c:\dir", "100%", "a^b$", "{n}", "x+y?", "ß-é"])
def test_a_word_is_found_as_it_stands_and_nothing_else(word: str) -> None:
    quoted = word.replace("\\", "\\\\")
    query = parse(f'{{}} "{quoted}"')
    assert query.finds(f"some {word} text")
    assert not query.finds("some a1bbc x y 1 c:xdir 100 ab n xy text")


def test_a_fortnight_is_asked_of_the_store_in_whole_seconds(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(stack: Stack, parameters: dict[str, str], seconds: float) -> httpx.Response:
        asked.append(parameters["query"])
        return httpx.Response(200, text="")

    monkeypatch.setattr(victorialogs, "ask", answer)
    assert in_store(stack, parse('{container="kafka"}'), 10, 14 * 86_400.0) == []
    assert asked[0].startswith("_time:1209600s ")
