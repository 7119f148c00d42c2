"""Repair steps: what they say a person would type, and a silence that comes and goes."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from lakeproof.arguments import Arguments, parse_arguments
from lakeproof.diagnosis.cause import Cause
from lakeproof.diagnosis.causes import load_causes
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.mitigations import abort_hanging_transactions, silence_alert
from lakeproof.mitigations.mitigation import Mitigation, all_mitigations
from lakeproof.probes.probe import all_probes
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.scenarios.truth import load_truth
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

NEEDED: dict[str, dict[str, object]] = {
    "continue_process": {"component": "connect"},
    "start_component": {"component": "connect"},
    "restart_component": {"component": "connect"},
    "replace_node": {"node": "cassandra-node3"},
    "scale_ring": {"nodes": 3},
    "silence_alert": {"alert": "CdcReplicationLagHigh"},
}


@pytest.mark.parametrize("step", all_mitigations().values(), ids=lambda step: step.id)
def test_every_step_says_what_to_type_and_no_secret(step: Mitigation, tmp_path: Path) -> None:
    stack = Stack(Settings(state_dir=tmp_path))
    typed = step.typed(stack, parse_arguments(step.arguments, NEEDED.get(step.id, {}), step.id))
    assert typed
    secrets = json.loads((tmp_path / "secrets.json").read_text()) if (tmp_path / "secrets.json").exists() else {}
    assert not any(secret in typed for secret in secrets.values())


def test_a_job_that_is_there_is_not_redeployed_by_hand(tmp_path: Path) -> None:
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints={"flink-jobmanager": {"http": "far:8081"}}))
    step = all_mitigations()["resubmit_job"]

    def typed(database: str) -> str:
        return step.typed(stack, parse_arguments(step.arguments, {"database": database}, step.id))

    looked = "curl -s http://far:8081/jobs/overview; only where no {} is alive there: lakeproof lake redeploy"
    assert typed("oltp") == looked.format("lake-oltp")
    assert typed("shop") == looked.format("lake-shop") + " --database shop"


def test_the_login_of_either_database_is_mended_in_that_one(tmp_path: Path) -> None:
    stack = Stack(Settings(state_dir=tmp_path))
    typed = {
        (name, database): all_mitigations()[name].typed(
            stack, parse_arguments(all_mitigations()[name].arguments, {"database": database}, name)
        )
        for name in ("restore_password", "restore_grant")
        for database in ("oltp", "shop")
    }
    assert typed["restore_password", "oltp"].startswith("ALTER USER 'cdc'@'%'")
    assert typed["restore_password", "shop"].startswith("ALTER ROLE cdc LOGIN PASSWORD")
    assert "'cdc'@'%'" in typed["restore_grant", "oltp"]
    assert typed["restore_grant", "shop"] == (
        "ALTER ROLE cdc LOGIN REPLICATION; GRANT CONNECT ON DATABASE shop TO cdc; GRANT pg_read_all_data TO cdc"
    )


def test_no_cause_is_repaired_by_a_step_that_only_looks_like_a_repair() -> None:
    causes: tuple[Cause, ...] = load_causes(all_probes(), scenario_folders())
    repairs = {step.id for cause in causes for step in cause.repairs}
    for folder in scenario_folders().values():
        truth = load_truth(folder)
        for fix in truth.wrong_fixes:
            wrong = {step.id for step in fix.steps} - set(truth.accepted_repairs)
            assert not wrong & repairs


class Alertmanager(BaseHTTPRequestHandler):
    """Keeps silences as Alertmanager's v2 API does."""

    silences: dict[str, dict[str, Any]]

    def _answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self) -> None:
        given = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = f"id{len(self.silences)}"
        self.silences[name] = given | {"id": name, "status": {"state": "active"}}
        self._answer({"silenceID": name})

    def do_GET(self) -> None:
        self._answer(list(self.silences.values()))

    def do_DELETE(self) -> None:
        self.silences[self.path.rpartition("/")[2]]["status"]["state"] = "expired"
        self._answer({})

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Stack]:
    Alertmanager.silences = {}
    server = HTTPServer(("127.0.0.1", 0), Alertmanager)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Stack(Settings(state_dir=tmp_path, endpoints={"alertmanager": {"http": f"127.0.0.1:{server.server_port}"}}))
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_silence_is_taken_back_and_others_are_left_alone(alertmanager: Stack) -> None:
    given = silence_alert.SilenceAlert(alert="TooLate")
    silence_alert.run(alertmanager, given)
    silence_alert.run(alertmanager, silence_alert.SilenceAlert(alert="Other"))
    Alertmanager.silences["id0b"] = Alertmanager.silences["id0"] | {
        "id": "id0b",
        "createdBy": "somebody",
        "status": {"state": "active"},
    }
    silence_alert.undo(alertmanager, given)
    states = {name: silence["status"]["state"] for name, silence in Alertmanager.silences.items()}
    assert states == {"id0": "expired", "id1": "active", "id0b": "active"}


def test_without_alertmanager_a_silence_is_an_error(tmp_path: Path) -> None:
    stack = Stack(Settings(state_dir=tmp_path, endpoints={"alertmanager": {"http": "127.0.0.1:1"}}))
    with pytest.raises(TerminalError, match="is Alertmanager up"):
        silence_alert.run(stack, silence_alert.SilenceAlert(alert="TooLate"))


def test_arguments_are_frozen_and_closed() -> None:
    assert Arguments.model_config["extra"] == "forbid"


COLUMNS = abort_hanging_transactions.COLUMNS


def table_of(*rows: tuple[str, ...]) -> str:
    """As Kafka's tool prints it."""
    return "\n".join("\t".join(f"{cell:<12}" for cell in row) for row in (COLUMNS, *rows))


def told(topic: str, offset: str, partition: str = "0") -> tuple[str, ...]:
    return (topic, partition, "1", "1", "0", offset, "1795601709958", "4")


class Tool:
    """Kafka's tool: one table for each broker; keeps what it was asked."""

    def __init__(self, tables: dict[int, str]) -> None:
        self.tables = tables
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, stack: Stack, *arguments: str) -> str:
        self.asked.append(arguments)
        return self.tables[int(arguments[2])] if arguments[0] == "find-hanging" else ""


@pytest.fixture
def aborting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[int, str]], tuple[str, Tool]]:
    """`aborting(tables)`: what the step says where the brokers tell these tables, and the tool that was asked."""

    def run(tables: dict[int, str]) -> tuple[str, Tool]:
        tool = Tool(tables)
        monkeypatch.setattr(abort_hanging_transactions, "_tool", tool)
        monkeypatch.setattr(abort_hanging_transactions, "broker_ids", lambda stack, timeout: list(tables))
        return abort_hanging_transactions.run(Stack(Settings(state_dir=tmp_path)), Arguments()), tool

    return run


def test_hanging_transactions_of_capture_are_aborted_on_every_broker_and_those_of_its_offsets_last(
    aborting: Callable[[dict[int, str]], tuple[str, Tool]],
) -> None:
    rows, offsets = told("cdc.oltp", "17"), told("_connect_offsets_orders", "2")
    said, tool = aborting({4: table_of(offsets, told("someone-elses", "7"), rows), 7: table_of(rows)})
    assert said == "aborted: cdc.oltp, _connect_offsets_orders"
    assert [asked[2] for asked in tool.asked if asked[0] == "find-hanging"] == ["4", "7"]
    aborted = [(asked[2], asked[6]) for asked in tool.asked if asked[0] == "abort"]
    assert aborted == [("cdc.oltp", "17"), ("_connect_offsets_orders", "2")]


def test_where_the_tool_tells_an_empty_table_no_transaction_hangs(
    aborting: Callable[[dict[int, str]], tuple[str, Tool]],
) -> None:
    assert aborting({1: "a line of its log\n" + table_of()})[0] == "no transaction hangs"


@pytest.mark.parametrize(
    "unknown",
    [
        "",
        "Found no transaction",
        table_of().replace("StartOffset", "FirstOffset"),
        table_of(told("cdc.oltp", "17")[:7]),
        table_of(told("cdc.oltp", "None")),
    ],
)
def test_what_the_tool_says_in_words_that_nobody_knows_does_not_mean_that_none_hangs(
    unknown: str, aborting: Callable[[dict[int, str]], tuple[str, Tool]]
) -> None:
    with pytest.raises(CouldNotLook, match="kafka, find-hanging"):
        aborting({1: unknown})


def test_a_person_types_the_same_search_for_hanging_transactions(tmp_path: Path) -> None:
    typed = abort_hanging_transactions.typed(Stack(Settings(state_dir=tmp_path)), Arguments())
    assert "--max-transaction-timeout 1" in typed and "for each broker" in typed
