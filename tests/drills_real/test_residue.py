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
from tests.doubles.plugins import OURS

from lakeproof.deadline import Deadline
from lakeproof.faults.records import recorded
from lakeproof.lake.nessie import NessieClient
from lakeproof.lake.query.pin import is_forgotten
from lakeproof.probes.probe import all_probes
from lakeproof.probes.prometheus import firing
from lakeproof.processes import sweep
from lakeproof.processes.client import SupervisorClient
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.proof, pytest.mark.drills, pytest.mark.timeout(900)]

type Run = Callable[..., Any]

PROGRAM = Path(sys.executable).with_name("lakeproof")


def inventory(stack: Stack) -> dict[str, list[str]]:
    """All that a drill could leave behind, by kind."""
    nessie = NessieClient(stack.url("nessie"))
    alerts = [alert for scenario in load_catalog().scenarios.values() for alert in scenario.owned_alerts]
    listed = {name: probe.look(stack, 10.0) for name, probe in all_probes(OURS).items() if probe.inventory}
    assert {name: reading.error for name, reading in listed.items() if not reading.answered} == {}
    assert {"oltp-tables", "lake-tables", "objects", "processes", "topics", "connectors"} <= set(listed)
    found = {name: str(reading.value).split() for name, reading in listed.items()} | {
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
    client = SupervisorClient(whole_stack)
    client.down()  # other modules may have started more than `up` does
    client.up()
    await_health(lakeproof)
    return inventory(whole_stack)


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
    assert inventory(whole_stack) == before


def test_the_next_drill_passes(drill: Run) -> None:
    done = drill("replication-lag")
    assert (done.code, done.report["verdict"]) == (0, "passed"), done.err[-4000:]
