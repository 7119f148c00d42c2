"""The course of a drill, over a lamp: what passes, what does not, and what is cleaned up whatever happens."""

import dataclasses
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.doubles import plugins

from lakeproof import drills as drill_package
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.diagnosis.cause import Step
from lakeproof.drills import run
from lakeproof.drills.bound_checks import BoundCheck
from lakeproof.drills.clean_up import remove_old_faults
from lakeproof.drills.drill import Drill
from lakeproof.drills.phases import Phase
from lakeproof.drills.run import one_drill
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.faults import records
from lakeproof.held_file import hold
from lakeproof.observability.drill_windows import lock_file
from lakeproof.scenarios.folder import scenario_folders
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


@pytest.fixture
def lamp(toy: Any) -> Any:
    return toy.Lamp()


def recorded(drill: Drill) -> int:
    return len(records.recorded(drill.world.stack))


def test_a_drill_passes_where_every_phase_was_observed(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = toy.drill(lamp, tmp_path)
    report = drill.run()
    assert report.reasons == []
    assert report.verdict == "passed"
    assert [record.phase for record in report.phases] == list(Phase)
    assert report.root_cause == "lamp_covered"
    assert report.incident == "INC-000001"
    assert lamp.told == [
        "kept closed",
        "acknowledged",
        "attached diagnosis",
        "mitigating",
        "note action",
        "attached verification",
        "resolved",
    ]
    assert recorded(drill) == 0


def test_claims_are_judged_too_where_the_shop_acknowledges_too_few_orders(
    toy: Any, lamp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a wrong fix after which the shop refuses every order would be turned down by no check at all."""
    monkeypatch.setattr(type(lamp), "orders", lambda _: 0)
    monkeypatch.setattr(run, "LOOK_SECONDS", 0.01)
    report = toy.drill(lamp, tmp_path).run()
    assert report.verdict == "failed" and "0 of 2 orders" in report.reasons[0]
    assert report.checks and all(each.verdict.outcome is Outcome.PASSED for each in report.checks)
    assert not lamp.shopping


def test_shoppers_come_again_for_a_check_each_time_as_a_run_of_their_own(toy: Any, lamp: Any, tmp_path: Path) -> None:
    """A pair has two such checks, and a run's ledger is made once. How shoppers end hides nothing that was seen."""
    drill = toy.drill(lamp, tmp_path)
    shopping = drill._run.context(5, Phase.VERIFY).shopping
    for lamp.unstoppable in (True, False):
        with shopping():
            assert lamp.shopping
        assert not lamp.shopping
    assert lamp.runs == ["aft1-run-1", "aft2-run-1"]
    assert "the shoppers did not stop" in (tmp_path / "report" / "journal.json").read_text()


def test_what_a_check_loses_that_acts_is_told_by_the_rows_which_are_judged_after_it(
    toy: Any, lamp: Any, tmp_path: Path
) -> None:
    """A restart after the last look at the data could lose a row of which the verdict knew nothing."""

    def restart(context: CheckContext, before: Baseline) -> Verdict:
        lamp.lost = 1
        return Verdict("it comes back", Outcome.PASSED, "lit")

    def healthy(context: CheckContext) -> Baseline:
        return Baseline(Verdict("it comes back", Outcome.PASSED, "lit"))

    drill = toy.drill(lamp, tmp_path)
    acts = BoundCheck(plugins.check("lamp_restarted", healthy, restart, acts=True)(), "lamp_restarted")
    drill._run.checks = (*drill._run.checks, acts)
    report = drill.run()
    assert [each.check for each in report.checks] == ["lamp_lit", "lamp_restarted", "lamp_kept"]
    assert (report.verdict, report.reasons) == ("failed", ["verify: lamp_kept: lost 1"])


def test_the_report_has_the_shape_of_the_contract(toy: Any, lamp: Any, tmp_path: Path) -> None:
    toy.drill(lamp, tmp_path).run()
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    assert set(data) >= {
        "scenario",
        "seed",
        "verdict",
        "timing",
        "phases",
        "alerts",
        "incident",
        "root_cause",
        "evidence",
        "mitigations",
        "data",
        "nessie",
        "checkpoint",
        "quiet_seconds",
        "residue",
    }
    assert data["data"]["lost"] == 0
    assert data["data"]["oversold"] is None
    assert data["alerts"][0]["name"] == "LampDark"
    assert data["alerts"][0]["fired_after_seconds"] >= 0
    assert data["alerts"][0]["cleared_after_seconds"] >= 0
    assert data["mitigations"][0]["action"] == "uncover_lamp"
    text = (tmp_path / "report" / "report.md").read_text()
    assert "Drill dark-lamp: passed" in text
    assert "Root cause: lamp_covered: it is covered" in text
    events = json.loads((tmp_path / "report" / "journal.json").read_text())
    assert next(event["what"] for event in events if event["phase"] == "inject") == "begins"


def test_a_wrong_fix_is_turned_down_and_taken_back(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = toy.drill(lamp, tmp_path, fix="look_away")
    report = drill.run()
    assert report.verdict == "failed"
    assert any("lamp_lit" in reason for reason in report.reasons)
    assert any("no accepted repair" in reason for reason in report.reasons)
    assert not lamp.covered
    assert lamp.rubbish == []
    assert report.residue == []
    assert recorded(drill) == 0


def test_recovery_is_given_up_after_the_seconds_that_were_asked_for(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = toy.drill(lamp, tmp_path, fix="look_away")
    drill.options = dataclasses.replace(drill.options, recover_seconds=1.5)
    phases = {record.phase: record.seconds for record in drill.run().phases}
    assert phases[Phase.RECOVER] >= 1.5 > toy.SCENARIO["budgets"]["recover"]


def test_no_incident_is_a_failed_detection(toy: Any, tmp_path: Path) -> None:
    report = toy.drill(toy.Lamp(heard=False), tmp_path).run()
    assert report.verdict == "failed"
    assert "no incident yet" in report.reasons[0]


def test_a_repair_that_breaks_fails_the_drill_and_the_fault_comes_out(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp(stuck=True)
    report = toy.drill(lamp, tmp_path).run()
    assert report.verdict == "failed"
    assert "nailed down" in " ".join(report.reasons)
    assert not lamp.covered


def test_lost_data_fails_the_drill_although_the_lamp_is_lit(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = toy.drill(lamp, tmp_path)
    uncover = lamp.uncover

    def uncover_and_lose(stack: Stack, arguments: object) -> str:
        lamp.lost = 2
        return str(uncover(stack, arguments))

    drill.world.catalog.mitigations["uncover_lamp"].run = lambda self, stack: uncover_and_lose(stack, self)
    report = drill.run()
    assert report.verdict == "failed"
    assert "lamp_kept: lost 2" in " ".join(report.reasons)


@pytest.mark.parametrize("counted", ["lost", "oversold", "violations"])
@pytest.mark.parametrize("for_good", [True, False])
def test_only_data_that_are_wrong_once_the_fault_is_out_are_left_behind(
    toy: Any, lamp: Any, tmp_path: Path, for_good: bool, counted: str
) -> None:
    """A fault may change a row itself: that is counted when the drill verifies, and set back with the fault."""
    lamp.counted = counted
    drill = toy.drill(lamp, tmp_path)
    remove = lamp.remove

    def look_on_and_lose(stack: Stack, arguments: object) -> str:
        lamp.lost = 2
        return "dark still"

    def remove_and_set_back(stack: Stack, arguments: Any) -> None:
        remove(stack, arguments)
        lamp.lost = 2 if for_good else 0

    drill.world.catalog.mitigations["uncover_lamp"].run = lambda self, stack: look_on_and_lose(stack, self)
    drill.world.catalog.faults["covered_lamp"].remove = lambda self, stack: remove_and_set_back(stack, self)
    report = drill.run()
    assert report.verdict == "failed"
    assert "lamp_kept: lost 2" in " ".join(report.reasons)
    left = [f"data: 2 {counted}; the stack must be made anew (lakeproof reset)"]
    assert report.residue == (left if for_good else [])


def test_no_fault_is_made_while_an_alert_of_another_scenario_fires(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeproof.drills.run.SETTLE_SECONDS", 0.05)
    lamp = toy.Lamp()
    drill = toy.drill(lamp, tmp_path)
    object.__setattr__(drill.world, "all_firing", lambda: ["DoorOpen"])
    report = drill.run()
    assert report.verdict == "unknown"
    assert any("alerts fire before the fault: DoorOpen" in reason for reason in report.reasons)
    assert lamp.firings == 0


def test_a_sick_stack_is_not_broken_further(toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeproof.drills.run.SETTLE_SECONDS", 0.05)
    lamp = toy.Lamp(covered=True)
    drill = toy.drill(lamp, tmp_path)
    report = drill.run()
    assert report.verdict == "failed"
    assert [record.phase for record in report.phases] == [Phase.BASELINE]
    assert not lamp.shopping


@pytest.mark.parametrize("yet", [Outcome.UNKNOWN, Outcome.FAILED])
def test_a_claim_that_does_not_hold_yet_is_asked_again(
    yet: Outcome, toy: Any, lamp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be looked at on a new stack, or what the drill before this one did still shows."""
    monkeypatch.setattr("lakeproof.drills.bound_checks.AGAIN_SECONDS", 0.01)
    drill = toy.drill(lamp, tmp_path)
    answers = iter([yet, yet, Outcome.PASSED])
    check = drill.world.catalog.checks["lamp_kept"]
    check.baseline = lambda self, context: Baseline(Verdict("no lamp was lost", next(answers), "new lamp"))
    assert drill.run().verdict == "passed"


def test_wrong_rows_before_the_fault_are_not_waited_for(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = toy.drill(lamp, tmp_path)
    answers = iter([Baseline(Verdict("no lamp was lost", Outcome.FAILED, "one", {"lost": 1.0}))])
    drill.world.catalog.checks["lamp_kept"].baseline = lambda self, context: next(answers)
    report = drill.run()
    assert (report.verdict, [record.phase for record in report.phases]) == ("failed", [Phase.BASELINE])


def test_ctrl_c_takes_the_fault_out_and_leaves_a_report(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp(interrupt=True)
    drill = toy.drill(lamp, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        drill.run()
    assert not lamp.covered
    assert not lamp.shopping
    assert lamp.told[-1] == "resolved"
    assert recorded(drill) == 0
    data = json.loads((tmp_path / "report" / "report.json").read_text())
    assert data["verdict"] == "unknown"
    assert "interrupted" in data["reasons"]


def test_a_fault_that_a_killed_drill_left_is_removed_first(toy: Any, lamp: Any, tmp_path: Path) -> None:
    killed = toy.drill(lamp, tmp_path)
    records.inject(killed.world.stack, killed.world.catalog.faults["covered_lamp"], {"cloth": "blue"}, by="drill")
    lamp.opened.clear()
    report = toy.drill(lamp, tmp_path).run()
    assert report.verdict == "passed"
    assert "was left behind" in (tmp_path / "report" / "journal.json").read_text()


def test_what_the_wrong_fix_of_a_killed_drill_left_is_undone_first(toy: Any, lamp: Any, tmp_path: Path) -> None:
    killed, last = toy.drill(lamp, tmp_path, fix="look_away"), toy.drill(lamp, tmp_path)
    look_away = killed.world.catalog.wrong_steps["look_away"]

    run = look_away.run

    def killed_after(step: Any, stack: Stack) -> str:
        run(step, stack)
        raise SystemExit

    look_away.run = killed_after
    with pytest.raises(SystemExit):
        killed._phases()
    assert [record.fault for record in records.newest_first(killed.world.stack)] == ["look_away", "covered_lamp"]
    assert lamp.rubbish == ["blindfold"]
    lamp.opened.clear()
    lamp.shopping = False
    report = last.run()
    assert (report.verdict, lamp.rubbish, recorded(last)) == ("passed", [], 0)


def test_a_wrong_fix_that_cannot_be_undone_is_left_behind_and_keeps_no_old_fault_in(
    toy: Any, lamp: Any, tmp_path: Path
) -> None:
    drill = toy.drill(lamp, tmp_path, fix="look_away")

    def stuck(stack: Stack, arguments: object) -> None:
        raise TerminalError("the knot is too tight")

    drill.world.catalog.wrong_steps["look_away"].undo = lambda self, stack: stuck(stack, self)
    assert "fault look_away" in drill.run().residue
    records.inject(drill.world.stack, drill.world.catalog.faults["covered_lamp"], {"cloth": "blue"}, by="hand")
    with pytest.raises(TerminalError, match="too tight"):
        remove_old_faults(drill.world, drill.journal)
    assert not lamp.covered and recorded(drill) == 1


def test_what_is_left_behind_fails_the_review(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = toy.drill(lamp, tmp_path)
    drill.options = type(drill.options)(1, tmp_path / "report", "run-1", (Step("look_away"), Step("uncover_lamp")))
    drill.world.catalog.wrong_steps["look_away"].undo = WrongStep.undo
    report = drill.run()
    assert report.residue == ["things: blindfold"]
    assert report.verdict == "failed"


def test_a_wrong_diagnosis_fails_the_drill_although_all_is_well(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = toy.drill(lamp, tmp_path)
    object.__setattr__(drill.world.catalog.causes[0], "id", "bulb_burnt")
    object.__setattr__(drill.world.catalog, "truth", lambda scenario: real(tmp_path))
    report = drill.run()
    assert report.verdict == "failed"
    assert any("named bulb_burnt, the root cause was lamp_covered" in reason for reason in report.reasons)


def real(home: Path) -> object:
    from lakeproof.scenarios.truth import load_truth

    return load_truth(home / "dark-lamp")


def test_one_drill_at_a_time_and_nobody_waits_for_the_end_of_the_other(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PATIENCE_SECONDS", 3600.0)
    monkeypatch.setattr(run, "LIVING_SECONDS", 0.1)
    refused = pytest.raises(InvalidInput, match=f"is running already .process {os.getpid()}.")
    with one_drill(stack), refused, one_drill(stack):
        pass
    with one_drill(stack):
        pass


def test_the_desk_that_gives_back_what_a_killed_drill_left_is_waited_for(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LIVING_SECONDS", 0.1)
    began = threading.Event()

    def give_back() -> None:
        with hold(lock_file(stack), "999999999 1 drill"):
            began.set()
            time.sleep(1.0)

    desk = threading.Thread(target=give_back)
    desk.start()
    assert began.wait(5)
    with one_drill(stack):
        assert lock_file(stack).read_text().startswith(f"{os.getpid()} ")
    desk.join()


def test_the_course_of_a_drill_names_no_engine_and_no_scenario() -> None:
    folder = Path(drill_package.__file__ or "").parent
    words = {"kafka", "debezium", "mariadb", "flink", "trino", *(name for name in scenario_folders())}
    for path in folder.glob("*.py"):
        text = path.read_text().lower()
        assert not [word for word in words if word in text], path.name
