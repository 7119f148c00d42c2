"""What `logs`, `lake show`, `runbook show` and `up` print."""

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cli.conftest import Typed
from tests.observability.logs.loki_server import loki_server
from tests.published_commit import published_commit

import lakeproof.cli.logs
from lakeproof.cli.up import unheard
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import DatabaseState
from lakeproof.observability import alertmanager
from lakeproof.observability.receivers import SLACK_URL
from lakeproof.processes import logfile
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State
from lakeproof.stack.stack import load_stack


@pytest.fixture
def log(own_stack: Path) -> None:
    folder = own_stack / "log"
    folder.mkdir(parents=True)
    (folder / "kafka.log").write_text("one\ntwo error\nthree\n")


@pytest.mark.usefixtures("log")
def test_logs_are_data_too(typed: Typed) -> None:
    assert json.loads(typed("logs", "kafka", "-n", "2", "--json")) == [
        {"container": "kafka", "line": "two error"},
        {"container": "kafka", "line": "three"},
    ]
    found = json.loads(typed("logs", "--query", '{container="kafka"} error', "--json"))
    ((time, *others),) = (entry.values() for entry in found)
    assert list(found[0]) == ["time", "container", "service", "level", "line"]
    assert time.endswith("Z")
    assert others == ["kafka", "kafka", "unknown", "two error"]


@pytest.mark.usefixtures("log")
def test_a_line_that_comes_while_a_log_begins_to_be_followed_is_shown_once(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    span = logfile.span

    def span_before_a_line_comes(path: Path) -> tuple[int, int]:
        found = span(path)
        with path.open("a") as writer:
            writer.write("four\n")
        return found

    def interrupt(*_: object) -> None:
        raise SystemExit(0)

    monkeypatch.setattr(logfile, "span", span_before_a_line_comes)
    monkeypatch.setattr(Deadline, "pause", interrupt)
    assert typed("logs", "kafka", "-n", "2", "-f") == "three\nfour\n"


def test_a_search_of_somebody_elses_logs_without_a_store_says_what_to_set(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEPROOF_MODE", "external")
    with pytest.raises(CouldNotLook, match=r"no log store answers.*Next: set the endpoint victorialogs"):
        typed("logs", "--query", "{} error")


def test_a_search_of_a_stack_whose_log_store_is_a_loki_asks_it(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {"container": "kafka", "service": "kafka", "level": "error"}
    now = str(time.time_ns())
    with loki_server() as loki:
        loki.push(
            "application/json", json.dumps({"streams": [{"stream": labels, "values": [[now, "lost"]]}]}).encode()
        )
        endpoints = {"victorialogs": {"http": f"127.0.0.1:{loki.port}", "server": "loki"}}
        monkeypatch.setenv("LAKEPROOF_MODE", "external")
        monkeypatch.setenv("LAKEPROOF_ENDPOINTS", json.dumps(endpoints))
        (found,) = json.loads(typed("logs", "--query", '{container="kafka"} LOST', "--json"))
        assert loki.answered == [("/loki/api/v1/query_range", 200)]
    del found["time"]
    assert found == labels | {"line": "lost"}


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("kafka", "--json", "-f"), "does not go with --json"),
        (("kafka", "--since", "1h"), "goes with --query"),
        (("--query", "{} error", "-f", "--since", "1h"), "it begins now"),
        (("--query", "{} error", "--since", "soon"), "not a time span"),
        (("--query", "{} error", "--render", "splunk"), "no log store"),
    ],
)
def test_what_does_not_go_together_is_refused(typed: Typed, words: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        typed("logs", *words)


@pytest.mark.usefixtures("log")
def test_without_a_log_store_the_files_are_searched_and_it_is_said(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(lakeproof.cli.logs, "say", told.append)
    assert typed("logs", "--query", '{container="kafka"} three') == "kafka | three\n"
    assert told[0].endswith("the log files are searched")


def test_a_published_state_is_shown_in_two_columns_however_long_a_tables_name_is(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    shop = DatabaseState(5, None, None, {"case_attachments_of_long_ago": 20}, at)
    commit = published_commit("ab" * 32, at, 12, "0-1-99", None, {"orders": 41}, at, {"shop": shop})
    monkeypatch.setattr(history, "find", lambda stack, hash_: commit)
    rows = [re.split(r"  +", line) for line in typed("lake", "show", "ab" * 32).splitlines()]
    assert {len(row) for row in rows} == {2}
    assert ["snapshot of shop.case_attachments_of_long_ago", "20"] in rows


def test_a_published_state_tells_the_newest_transaction_and_heartbeat_of_each_database(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(2026, 11, 26, tzinfo=UTC)
    shop = DatabaseState(5, "786:11", 1_795_000_000_000_000, {"payments": 20}, at)
    commit = published_commit("ab" * 32, at, 12, "0-1-99", None, {"orders": 41}, others={"shop": shop})
    monkeypatch.setattr(history, "find", lambda stack, hash_: commit)
    told = dict(re.split(r"  +", line) for line in typed("lake", "show", "ab" * 32).splitlines())
    assert (told["checkpoint"], told["transactions up to"]) == ("12", "0-1-99")
    assert told["source's clock at least"] == "none yet"
    assert (told["shop: checkpoint"], told["shop: transactions up to"]) == ("5", "786:11")
    assert told["shop: source's clock at least"] == "2026-11-18T11:06:40+00:00"


def test_a_query_is_shown_as_either_log_store_wants_it(typed: Typed) -> None:
    query = ("--query", '{container="flink-jobmanager"} error')
    assert typed("logs", *query, "--render", "loki") == '{container="flink-jobmanager"} |~ "(?i)error"\n'
    assert typed("logs", *query, "--render", "victorialogs") == '{container="flink-jobmanager"} _msg:~"(?i)error"\n'


def test_a_page_of_the_runbook_is_data_too(typed: Typed) -> None:
    page = json.loads(typed("runbook", "show", "replication-lag", "--lang", "vi", "--json"))
    assert (page["scenario"], page["lang"]) == ("replication-lag", "vi")
    assert page["markdown"].startswith("# ")


def test_up_warns_each_time_while_no_alert_reaches_slack(own_stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = load_stack()
    runs = ProcessRow("alertmanager", State.RUNNING, Health.HEALTHY, 1, 0, 0.0, 0, 1.0, {}, "log")
    monkeypatch.delenv(SLACK_URL, raising=False)
    alertmanager.write_config(stack, "production")
    monkeypatch.setenv(SLACK_URL, "https://hooks.slack.com/x")  # of this shell: it does not run with that
    (line,) = unheard([runs], stack)
    assert line.startswith("WARNING: ") and SLACK_URL in line and "desk" in line
    assert unheard([replace(runs, pid=None)], stack) == []
    alertmanager.write_config(stack, "production")
    assert unheard([runs], stack) == []
