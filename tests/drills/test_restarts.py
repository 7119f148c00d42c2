"""What a drill itself stops and starts again is on record in between: a kill -9 there leaves components down."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakeproof.arguments import Arguments, OfComponent
from lakeproof.checks import restarts as restarts_checks
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.drills import clean_up, restarts
from lakeproof.drills.bound_checks import BoundCheck, verify
from lakeproof.drills.restarts import on_record_by_step
from lakeproof.faults import records
from lakeproof.faults.fault import Sign
from lakeproof.faults.processes import StoppedProcess
from lakeproof.mitigations.processes import RestartComponent
from lakeproof.processes.states import State
from lakeproof.repairs.running import mend
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes import processes
from lakeproof.wrong_fixes.wrong_step import WrongStep


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The components that are stopped, as the fault of a stopped process finds and starts them."""
    found: set[str] = set()

    def sign(stack: Stack, arguments: OfComponent) -> Sign:
        return Sign(arguments.component in found, "")

    def start(stack: Stack, arguments: OfComponent) -> None:
        found.discard(arguments.component)

    fault = dataclasses.replace(StoppedProcess, sign=sign, remove=start)
    monkeypatch.setattr(restarts, "STOPPED", fault)
    monkeypatch.setattr(clean_up, "STOPPED", fault)
    return found


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


def on_record(stack: Stack) -> list[tuple[str, str]]:
    return sorted((record.args["component"], record.by) for record in records.recorded(stack))


def test_a_component_that_a_fix_restarts_is_on_record_as_stopped_meanwhile(stack: Stack, stopped: set[str]) -> None:
    def restart(stack: Stack, arguments: Arguments) -> str:
        seen.append(on_record(stack))
        return "restarted"

    seen: list[list[tuple[str, str]]] = []
    steps = {
        RestartComponent.id: dataclasses.replace(RestartComponent, run=restart),
        "everything": WrongStep(
            "everything", "", RestartComponent.typed, restart, stops=lambda stack: ["kafka", "mysql"]
        ),
        "nothing": WrongStep("nothing", "", lambda stack, arguments: "", restart),
    }
    fix = [Step(RestartComponent.id, (("component", "connect"),)), Step("nothing")]
    mend(
        stack, on_record_by_step(steps, by="drill x"), [fix], lambda typed: None, lambda text: None, lambda done: None
    )
    steps["everything"].run(stack, Arguments())
    on_record_by_step(steps, by="drill x")["everything"].run(stack, Arguments())
    assert seen == [[("connect", "drill x")], [], [], [("kafka", "drill x"), ("mysql", "drill x")]]
    assert on_record(stack) == []


def test_all_that_restart_everything_stops_is_what_runs(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        SimpleNamespace(name=name, state=state) for name, state in (("kafka", State.RUNNING), ("mysql", State.PAUSED))
    ]
    rows.append(SimpleNamespace(name="trino", state=State.STOPPED))
    monkeypatch.setattr(processes, "our_processes", lambda stack, what: SimpleNamespace(ps=lambda: rows))
    assert processes.RestartEverything.stops(stack) == ["kafka", "mysql"]


def test_a_part_that_a_check_restarts_is_on_record_as_stopped_meanwhile(stack: Stack, stopped: set[str]) -> None:
    def judge(context: CheckContext, arguments: Arguments, before: Baseline) -> Verdict:
        seen.append(on_record(stack))
        return verdict

    seen: list[list[tuple[str, str]]] = []
    verdict = Verdict("", Outcome.PASSED, "")
    arguments = restarts_checks.SurvivesRestart(component="connect")
    check = dataclasses.replace(restarts_checks.SurvivesRestart, verify=judge)
    looks = Check("looks", "", lambda context, arguments: Baseline(verdict), judge)
    bound = [BoundCheck(looks, Arguments(), "looks"), BoundCheck(check, arguments, "survives")]
    context = CheckContext(stack, Deadline(60))
    verify(bound, context, dict.fromkeys(("looks", "survives"), Baseline(verdict)), lambda text: None, by="drill x")
    assert seen == [[], [("connect", "drill x")]]
    assert on_record(stack) == []


def test_what_a_killed_drill_stopped_and_did_not_start_is_started_before_the_next(
    toy: Any, tmp_path: Path, stopped: set[str]
) -> None:
    lamp = toy.Lamp()

    def killed_between(stack: Stack, arguments: Arguments) -> str:
        stopped.add("connect")
        raise SystemExit

    killed, last = toy.drill(lamp, tmp_path), toy.drill(lamp, tmp_path)
    killed.options = dataclasses.replace(
        killed.options, fix=(Step(RestartComponent.id, (("component", "connect"),)),)
    )
    killed.world.catalog.mitigations[RestartComponent.id] = dataclasses.replace(RestartComponent, run=killed_between)
    with pytest.raises(SystemExit):
        killed._phases()
    assert [record.fault for record in records.newest_first(killed.world.stack)] == [
        StoppedProcess.id,
        "covered_lamp",
    ]
    start = dataclasses.replace(StoppedProcess, remove=lambda stack, arguments: stopped.discard(arguments.component))
    last.world.catalog.faults[StoppedProcess.id] = start
    clean_up.remove_old_faults(last.world, last.journal)
    assert (stopped, records.recorded(last.world.stack)) == (set(), ())


def test_what_a_fix_left_stopped_is_started_at_the_end_of_its_drill(
    toy: Any, tmp_path: Path, stopped: set[str]
) -> None:
    lamp = toy.Lamp()

    def stop_only(stack: Stack, arguments: Arguments) -> str:
        stopped.add("connect")
        return str(lamp.uncover(stack, arguments))

    drill = toy.drill(lamp, tmp_path)
    drill.options = dataclasses.replace(drill.options, fix=(Step(RestartComponent.id, (("component", "connect"),)),))
    drill.world.catalog.mitigations[RestartComponent.id] = dataclasses.replace(RestartComponent, run=stop_only)
    report = drill.run()
    assert (stopped, report.residue) == (set(), [])
    assert "started again: connect" in (tmp_path / "report" / "journal.json").read_text()
