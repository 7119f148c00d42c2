"""`up --all`, traffic over all services, `check` by Trino and Spark, `down`, as one types it: nothing is left."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.installed import everything
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

ENGINES = ("trino", "spark")


def processes_of(stack: Stack) -> Iterator[str]:
    """Whatever runs with the stack's folder in its command line, first environment or working folder, as text."""
    folder = str(stack.settings.state_dir)
    for process in psutil.process_iter():
        try:
            words = [*process.cmdline(), *process.environ().values(), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != psutil.Process().pid and any(folder in word for word in words):
            yield f"{process.pid} {' '.join(process.cmdline())[:200]}"


def up_all(stack: Stack, lakeproof: Run) -> None:
    """Until everything is healthy; prints what it said of seconds and memory."""
    done = lakeproof("up", "--all", "--json", seconds=480)
    assert done.code == 0, done.err[-3000:]
    rows = json.loads(done.out)
    wanted, _ = everything(SupervisorClient(stack).components.values())
    assert {row["name"]: row["health"] for row in rows if row["name"] in wanted} == dict.fromkeys(wanted, "healthy")
    (memory,) = [line for line in done.err.splitlines() if "GiB" in line]
    print(memory.strip())


def test_everything_comes_up_sells_agrees_in_three_engines_and_goes_without_a_trace(
    whole_stack: Stack, lakeproof: Run
) -> None:
    for _ in ("cold", "warm"):
        up_all(whole_stack, lakeproof)
        sold = lakeproof("traffic", "--rate", "4", "--purchases", "1", "--seconds", "20", "--json", seconds=240)
        assert sold.code == 0, sold.err[-3000:]
        assert json.loads(sold.out)["bought"] > 0
        engines = [word for name in ENGINES for word in ("--engine", name)]
        checked = lakeproof("check", *engines, "--wait-seconds", "120", "--json", seconds=400)
        report = json.loads(checked.out)
        assert (checked.code, report["verdict"], report["oversold"]) == (0, "passed", 0), checked.err[-3000:]
        assert {row["engine"] for row in report["tables"]} >= set(ENGINES)
        assert lakeproof("down", seconds=240).code == 0
        assert list(processes_of(whole_stack)) == []
