"""Drills that are cut short, then `down` and `up`: nothing is left behind, and the next drill passes."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeproof.deadline import Deadline
from lakeproof.faults.records import recorded
from lakeproof.lake.nessie import NessieClient
from lakeproof.lake.query.pin import is_forgotten
from lakeproof.probes.connect import connectors
from lakeproof.probes.kafka import topics
from lakeproof.probes.prometheus import firing
from lakeproof.probes.sql import select
from lakeproof.processes import sweep
from lakeproof.processes.client import SupervisorClient
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")
SQL_TABLES = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
LAKE_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'oltp'"


def inventory(stack: Stack, lakeproof: Run) -> dict[str, list[str]]:
    """All that a drill could leave behind, by kind."""
    nessie = NessieClient(stack.url("nessie"))
    alerts = [alert for scenario in load_catalog().scenarios.values() for alert in scenario.alerts]
    lake_tables = json.loads(lakeproof("query", LAKE_TABLES, "--json", seconds=60).out)
    found = {
        "topics": str(topics(stack, 10.0)).split(),
        "connectors": str(connectors(stack, 10.0)).split(),
        "tables": [".".join(row) for row in select(stack, "reader", SQL_TABLES, 10.0)],
        "lake tables": [row[0] for row in lake_tables["rows"]],
        "branches and tags": [ref.name for ref in nessie.references() if not is_in_use(ref.name)],
        "alerts": [name for name in alerts if firing(stack, name)],
        "faults": [record.fault for record in recorded(stack)],
    }
    nessie.close()
    return {kind: sorted(names) for kind, names in found.items()}


def is_in_use(reference: str) -> bool:
    """True for the tag of a query or an audit that runs at this very moment."""
    return reference.startswith("lake_at_") and not is_forgotten(reference, time.time())


def await_health(lakeproof: Run) -> None:
    def healthy() -> bool | None:
        return True if json.loads(lakeproof("diagnose", "--json", seconds=60).out)["healthy"] else None

    Deadline(90).wait_for("the stack to be healthy", healthy)


@pytest.fixture(scope="module")
def before(whole_stack: Stack, lakeproof: Run) -> dict[str, list[str]]:
    """The inventory of a stack that has been shopped in and that no drill has touched since."""
    SupervisorClient(whole_stack).up()
    await_health(lakeproof)
    return inventory(whole_stack, lakeproof)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_drill_that_is_cut_short_leaves_no_fault(
    lakeproof: Run, whole_stack: Stack, tmp_path: Path, how: signal.Signals, before: dict[str, list[str]]
) -> None:
    command = [str(PROGRAM), "drill", "replication-lag", "--report", str(tmp_path / "report")]
    running = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        Deadline(300).wait_for("the fault to be in", lambda: recorded(whole_stack) or None)
        running.send_signal(how)
        running.wait(timeout=90)
    finally:
        running.kill()
        running.wait()
    if how is signal.SIGKILL:
        assert lakeproof("fault", "remove", "--all", seconds=60).code == 0
    assert recorded(whole_stack) == ()
    await_health(lakeproof)


def test_after_down_and_up_there_is_what_was_there_before(
    whole_stack: Stack, lakeproof: Run, before: dict[str, list[str]]
) -> None:
    client = SupervisorClient(whole_stack)
    assert lakeproof("down", seconds=180).code == 0
    assert sweep.find(client.runtime.owns) == [] and not client.runtime.folder.exists()
    assert lakeproof("up", seconds=240).code == 0
    await_health(lakeproof)
    assert inventory(whole_stack, lakeproof) == before


def test_the_next_drill_passes(drill: Run) -> None:
    done = drill("replication-lag")
    assert (done.code, done.report["verdict"]) == (0, "passed"), done.err[-4000:]
