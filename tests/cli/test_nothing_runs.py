"""Commands that need a running part say at once which one is missing, and change nothing."""

import json
import os
import signal
from pathlib import Path

import pytest
from tests.cli.conftest import Typed

from benchmarks import benchmark
from benchmarks.benchmark import Options, Progress, Result
from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError, NotReady, TerminalError
from lakeproof.lake.job.submission import Submitted
from lakeproof.stack.stack import Stack


def test_redeploy_without_flink_says_so_at_once(typed: Typed) -> None:
    with pytest.raises(TerminalError) as refused:
        typed("lake", "redeploy")
    assert "flink-jobmanager: it is not healthy" in refused.value.message
    assert "Next: lakeproof up flink-jobmanager minio" in refused.value.message


def test_redeploy_fails_where_the_new_job_waits_for_a_taskmanager(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeproof.cli.lake.require_healthy", lambda *_: None)
    monkeypatch.setattr("lakeproof.lake.job.redeploy", lambda *_, **__: Submitted("b", "no TaskManager"))
    with pytest.raises(NotReady, match="lake-oltp: it is accepted as b, not running yet: no TaskManager"):
        typed("lake", "redeploy")


def test_traffic_without_a_shop_writes_no_ledger(typed: Typed, own_stack: Path) -> None:
    with pytest.raises(TerminalError, match="no shop answers"):
        typed("traffic", "--rate", "5", "--seconds", "1")
    assert not list(own_stack.glob("ledger/*"))


def test_traffic_to_no_address_is_wrong_usage(typed: Typed, own_stack: Path) -> None:
    with pytest.raises(InvalidInput, match="'nope' is no address of a shop"):
        typed("traffic", "--base-url", "nope")
    assert not list(own_stack.glob("ledger/*"))


@pytest.mark.parametrize(("name", "command"), [("supervisor", "lakeproof up"), ("kafka", "lakeproof up kafka")])
def test_a_log_that_is_not_there_yet_is_had_by_a_command_that_exists(typed: Typed, name: str, command: str) -> None:
    with pytest.raises(CouldNotLook) as refused:
        typed("logs", name)
    assert refused.value.next_action == command


@pytest.mark.parametrize("words", [(), ("--follow",)])
def test_a_log_of_somebody_elses_stack_is_neither_waited_for_nor_had_by_up(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("LAKEPROOF_MODE", "external")
    monkeypatch.setattr("lakeproof.processes.logfile.follow", lambda path, start: iter(()))
    with pytest.raises(CouldNotLook, match=r"its log lies where it runs.*logs --query"):
        typed("logs", "kafka", *words)


@pytest.mark.parametrize("name", ["rate", "freshness"])
def test_a_benchmark_names_what_must_run(typed: Typed, name: str) -> None:
    with pytest.raises(LakeproofError, match=r"it is not healthy.*Next: lakeproof up"):
        typed("bench", name)


def test_the_load_of_a_benchmark_is_that_of_before_it(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    load = 0.5

    def run(stack: Stack, options: Options, progress: Progress) -> Result:
        nonlocal load
        load = 17.0  # what it did itself
        return Result("busy", options, {}, [])

    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(benchmark, "find", lambda name: benchmark.Benchmark(name, "", (), run))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    assert "load before it 0.5" in typed("bench", "busy")
    load = 0.5
    assert json.loads(typed("bench", "busy", "--json"))["machine"]["load_before"] == 0.5


def test_without_a_ring_its_commands_say_what_starts_it(typed: Typed) -> None:
    for arguments in (("ring",), ("ring", "--json"), ("ring", "replace", "cassandra-node3"), ("ring", "scale", "3")):
        with pytest.raises(CouldNotLook, match=r"never started here.*Next: .*lakeproof"):
            typed(*arguments)
    with pytest.raises(InvalidInput, match="cassandra-node5"):
        typed("ring", "replace", "cassandra-node5")


def test_evolve_without_its_engines_says_so_at_once_and_keeps_nothing(typed: Typed, own_stack: Path) -> None:
    with pytest.raises(TerminalError, match="mysql: it is not healthy"):
        typed("lake", "evolve", "orders", "gift_note", "--yes")
    with pytest.raises(InvalidInput, match="nothing: it is not captured"):
        typed("lake", "evolve", "nothing", "gift_note", "--dry-run")
    with pytest.raises(InvalidInput, match="a column that is taken back needs no type"):
        typed("lake", "evolve", "orders", "gift_note", "--undo", "--type", "INT")
    assert not list(own_stack.glob("data/**/*added-columns*"))
