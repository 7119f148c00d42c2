"""What a drill itself stops and starts again is on record in between: a kill -9 there leaves components down."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.doubles import plugins

from lakeproof.arguments import Arguments, OfComponent
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.restarts import SurvivesRestart
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.drills import clean_up
from lakeproof.drills.bound_checks import BoundCheck, verify
from lakeproof.drills.restarts import on_record_by_step
from lakeproof.faults import records
from lakeproof.faults.fault import Sign
from lakeproof.faults.processes import StoppedProcess
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.processes import RestartComponent
from lakeproof.processes.states import State
from lakeproof.repairs.running import mend
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes import processes


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The components that are stopped, as the fault of a stopped process finds and starts them."""
    found: set[str] = set()

    def sign(stack: Stack, arguments: OfComponent) -> Sign:
        return Sign(arguments.component in found, "")

    def start(stack: Stack, arguments: OfComponent) -> None:
        found.discard(arguments.component)

    monkeypatch.setattr(StoppedProcess, "sign", lambda self, stack: sign(stack, self))
    monkeypatch.setattr(StoppedProcess, "remove", lambda self, stack: start(stack, self))
    return found


def on_record(stack: Stack) -> list[tuple[str, str]]:
    return sorted((record.args["component"], record.by) for record in records.recorded(stack))


def test_a_component_that_a_fix_restarts_is_on_record_as_stopped_meanwhile(stack: Stack, stopped: set[str]) -> None:
    def restart(stack: Stack, arguments: Arguments) -> str:
        seen.append(on_record(stack))
        return "restarted"

    seen: list[list[tuple[str, str]]] = []
    steps: dict[str, type[Mitigation]] = {
        RestartComponent.id: plugins.mitigation(RestartComponent.id, restart, kind=RestartComponent),
        "everything": plugins.wrong_step("everything", restart, stops=lambda stack: ["kafka", "mysql"]),
        "nothing": plugins.wrong_step("nothing", restart),
    }
    fix = [Step(RestartComponent.id, (("component", "connect"),)), Step("nothing")]
    mend(
        stack, on_record_by_step(steps, by="drill x"), [fix], lambda typed: None, lambda text: None, lambda done: None
    )
    steps["everything"]().run(stack)
    on_record_by_step(steps, by="drill x")["everything"]().run(stack)
    assert seen == [[("connect", "drill x")], [], [], [("kafka", "drill x"), ("mysql", "drill x")]]
    assert on_record(stack) == []


def test_all_that_restart_everything_stops_is_what_runs(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        SimpleNamespace(name=name, state=state) for name, state in (("kafka", State.RUNNING), ("mysql", State.PAUSED))
    ]
    rows.append(SimpleNamespace(name="trino", state=State.STOPPED))
    monkeypatch.setattr(processes, "our_processes", lambda stack, what: SimpleNamespace(ps=lambda: rows))
    assert processes.RestartEverything().stops(stack) == ["kafka", "mysql"]


def test_a_part_that_a_check_restarts_is_on_record_as_stopped_meanwhile(stack: Stack, stopped: set[str]) -> None:
    def judge(context: CheckContext, before: Baseline) -> Verdict:
        seen.append(on_record(stack))
        return verdict

    seen: list[list[tuple[str, str]]] = []
    verdict = Verdict("", Outcome.PASSED, "")

    class Survives(SurvivesRestart):
        """It comes back."""

        def verify(self, context: CheckContext, baseline: Baseline) -> Verdict:
            return judge(context, baseline)

    looks = plugins.check("looks", lambda context: Baseline(verdict), judge)
    bound = [BoundCheck(looks(), "looks"), BoundCheck(Survives(component="connect"), "survives")]
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
    between = plugins.mitigation(RestartComponent.id, killed_between, kind=RestartComponent)
    killed.world.catalog.mitigations[RestartComponent.id] = between
    with pytest.raises(SystemExit):
        killed._phases()
    assert [record.fault for record in records.newest_first(killed.world.stack)] == [
        StoppedProcess.id,
        "covered_lamp",
    ]
    last.world.catalog.faults[StoppedProcess.id] = StoppedProcess
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
    stops = plugins.mitigation(RestartComponent.id, stop_only, kind=RestartComponent)
    drill.world.catalog.mitigations[RestartComponent.id] = stops
    report = drill.run()
    assert (stopped, report.residue) == (set(), [])
    assert "started again: connect" in (tmp_path / "report" / "journal.json").read_text()
