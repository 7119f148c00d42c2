"""What a scenario leaves behind is in its report, and keeps it from passing: a table, an object, a process."""

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.doubles.plugins import OURS

from lakeproof.arguments import Arguments
from lakeproof.drills.drill import Drill
from lakeproof.drills.plan import make_plan
from lakeproof.drills.run import DrillOptions
from lakeproof.probes import databases, nessie, object_store, processes
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.processes.parts import Parts
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

INVENTORIES = ("oltp-tables", "shop-tables", "lake-tables", "objects", "processes")


def test_tables_objects_processes_topics_and_connectors_are_compared() -> None:
    listed = {name for name, probe in all_probes(OURS).items() if probe.inventory}
    assert listed == {*INVENTORIES, "topics", "connectors"}


@pytest.fixture
def started() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Processes that the fault starts; ended afterwards."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for process in found:
        process.kill()
        process.wait()


def drilled(toy: Any, home: Path, leave: Any, run: str, *probes: Probe, away: frozenset[str] = frozenset()) -> Any:
    """The report of a toy drill whose fault also calls `leave`, with those inventories."""
    lamp = toy.Lamp()

    def cover(stack: Stack, arguments: Arguments) -> None:
        lamp.cover(stack, arguments)
        leave()

    world = toy.world(lamp, home)
    old = world.catalog
    fault: Any = old.faults["covered_lamp"]
    fault.inject = lambda self, stack: cover(stack, self)
    catalog = dataclasses.replace(
        old, faults={fault.id: fault}, probes={**old.probes, **{probe.id: probe for probe in probes}}
    )
    world = dataclasses.replace(world, catalog=catalog, parts=lambda: Parts(frozenset(all_components()) - away))
    plan = make_plan([catalog.scenarios["dark-lamp"]])
    return Drill(world, plan, DrillOptions(1, home / "report", run), lambda text: None).run()


def test_a_process_that_a_scenario_leaves_running_fails_its_drill(
    toy: Any, tmp_path: Path, started: list["subprocess.Popen[bytes]"]
) -> None:
    def leave() -> None:
        started.append(subprocess.Popen(["sleep", "60"], start_new_session=True))

    report = drilled(toy, tmp_path, leave, f"left-{tmp_path.name}", *processes.PROBES)
    assert report.residue == [f"processes: sleep[{started[0].pid}]"]
    assert report.verdict == "failed"


@pytest.mark.parametrize("kind", ["oltp-tables", "lake-tables", "objects"])
def test_a_table_or_an_object_that_a_scenario_leaves_fails_its_drill(toy: Any, tmp_path: Path, kind: str) -> None:
    there = ["first"]
    probe = next(one for one in (*databases.PROBES, *nessie.PROBES, *object_store.PROBES) if one.id == kind)
    listed = dataclasses.replace(probe, ask=lambda stack, timeout: " ".join(there))
    report = drilled(toy, tmp_path, lambda: there.append("second"), "left", listed)
    assert report.residue == [f"{kind}: second"]
    assert report.verdict == "failed"


def test_what_a_stack_does_not_have_is_not_looked_for(toy: Any, tmp_path: Path) -> None:
    def refused(stack: Stack, timeout: float) -> str:
        raise ConnectionRefusedError

    listed = Probe("attic", "minio", "list", "", refused, inventory=True)
    report = drilled(toy, tmp_path, lambda: None, "away", listed, away=frozenset({"minio"}))
    assert (report.residue, report.verdict) == ([], "passed")
    report = drilled(toy, tmp_path, lambda: None, "away", listed)
    assert report.residue == ["attic: could not look"]
