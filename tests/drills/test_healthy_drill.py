"""Nothing is broken: nothing may be found. And several drills in a row, with their table."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.doubles import plugins

from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.drills.detection import AlertWatch
from lakeproof.drills.healthy_drill import HealthyDrill
from lakeproof.drills.journal import Journal
from lakeproof.drills.phases import Phase
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.run import DrillOptions
from lakeproof.drills.world import FiringView, IncidentView
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.faults import records
from lakeproof.faults.fault import Fault, Sign
from lakeproof.scenarios.scenario import Traffic


@pytest.fixture
def lamp(toy: Any) -> Any:
    return toy.Lamp()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakeproof.drills.healthy_drill.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("lakeproof.drills.healthy_drill.DIAGNOSE_SECONDS", 0.02)
    monkeypatch.setattr("lakeproof.drills.clean_up.QUIET_SECONDS", 0.1)


def healthy(toy: Any, lamp: Any, home: Path, seconds: float = 0.1) -> HealthyDrill:
    world = toy.world(lamp, home)
    plan = DrillPlan(tuple(world.catalog.scenarios.values()))
    return HealthyDrill(world, plan, DrillOptions(1, home / "report", "run-1"), seconds, lambda text: None)


def near(toy: Any, lamp: Any, home: Path, misses: list[Step], faults: dict[str, type[Fault]]) -> HealthyDrill:
    """As `healthy`, with these near misses, 0.1 s each."""
    world = toy.world(lamp, home)
    world = replace(world, catalog=replace(world.catalog, faults={**world.catalog.faults, **faults}))
    plan, options = DrillPlan(tuple(world.catalog.scenarios.values())), DrillOptions(1, home / "report", "run-1")
    return HealthyDrill(world, plan, options, 0.1 * (1 + len(misses)), lambda text: None, misses)


def test_a_healthy_stack_passes_and_every_look_is_told(toy: Any, lamp: Any, tmp_path: Path) -> None:
    report = healthy(toy, lamp, tmp_path).run()
    assert (report.verdict, report.reasons, report.root_cause, report.incident) == ("passed", [], None, None)
    assert [record.phase for record in report.phases] == [Phase.BASELINE, Phase.DETECT, Phase.VERIFY, Phase.REVIEW]
    assert report.quiet_seconds >= 0.1
    assert not lamp.shopping
    assert not lamp.asked_of_a_mended_stack, "no claim may ask for what a repair would have left behind"
    assert json.loads((tmp_path / "report" / "report.json").read_text())["scenario"] == "healthy"
    assert "diagnoses found nothing" in (tmp_path / "report" / "journal.json").read_text()


def test_it_tells_while_it_looks_on_that_nothing_was_found(toy: Any, lamp: Any, tmp_path: Path) -> None:
    told: list[str] = []
    drill = healthy(toy, lamp, tmp_path)
    drill.journal = Journal(tmp_path / "report", told.append)
    drill.run()
    looks = [line for line in told if "nothing in" in line and " 1 diagnoses found nothing" in line]
    assert len(looks) == 1, told


def test_a_cause_that_shows_meanwhile_fails_it(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp()
    drill = healthy(toy, lamp, tmp_path, seconds=30)
    drill._alerts = AlertWatch((), lambda alert: False)
    remember = drill._incident.remember

    def cover() -> None:
        remember()
        lamp.covered = True

    object.__setattr__(drill._incident, "remember", cover)
    report = drill.run()
    assert (report.verdict, report.root_cause) == ("failed", "lamp_covered")
    assert "diagnosed lamp_covered" in report.reasons[0]


def test_an_alert_or_an_incident_meanwhile_fails_it(toy: Any, tmp_path: Path) -> None:
    lamp = toy.Lamp()
    drill = healthy(toy, lamp, tmp_path, seconds=30)
    remember = drill._incident.remember

    def strange() -> None:
        remember()
        lamp.opened.append(IncidentView("INC-000009", (FiringView("ServiceUnavailable", "x"),)))

    object.__setattr__(drill._incident, "remember", strange)
    report = drill.run()
    assert report.verdict == "failed"
    assert "the desk opened INC-000009" in report.reasons[0]


def test_an_alert_that_could_not_be_looked_at_for_a_while_is_told(toy: Any, lamp: Any, tmp_path: Path) -> None:
    looks: list[str] = []

    def firing(alert: str) -> bool:
        looks.append(alert)
        if len(looks) == 1:
            raise CouldNotLook("no answer", where="prometheus")
        return False

    drill = healthy(toy, lamp, tmp_path)
    drill._alerts = AlertWatch(["LampDark"], firing)
    told = "1 looks at an alert failed, the last: prometheus: no answer"
    assert [each.why for each in drill.run().phases] == ["", told, "", ""]
    assert f"passed: {told}" in (tmp_path / "report" / "journal.json").read_text()


def test_the_alerts_of_every_other_cause_are_watched_too(toy: Any, lamp: Any, tmp_path: Path) -> None:
    world = toy.world(lamp, tmp_path)
    (scenario,) = world.catalog.scenarios.values()
    other = replace(scenario, cause="lamp_flickers", alerts=("LampFlickers",))
    plan = DrillPlan((replace(scenario, others={"lamp_flickers": other}),))
    drill = HealthyDrill(world, plan, DrillOptions(1, tmp_path / "report", "run-1"), 0.1, lambda text: None)
    assert [times.name for times in drill.run().alerts] == ["LampDark", "LampFlickers"]


def test_shoppers_come_and_buy_half_as_often_as_the_calmest_scenario_asks_for(
    toy: Any, lamp: Any, tmp_path: Path
) -> None:
    """At the most calls of the path and the purchases of the whole shop, two cores turned every fourth call down."""
    (scenario,) = toy.world(lamp, tmp_path).catalog.scenarios.values()
    path = replace(scenario, traffic=Traffic(rate=50, orders=1500, seconds_before=10))
    shop = replace(scenario, traffic=Traffic(rate=6, orders=100, purchases=1))
    asked = DrillPlan((path, shop), calm=True).traffic
    assert (asked.rate, asked.purchases, asked.orders, asked.seconds_before) == (3, 0.5, 100, 10)


def test_a_desk_that_does_not_answer_leaves_it_unknown(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = healthy(toy, lamp, tmp_path)

    def silent() -> None:
        raise CouldNotLook("the desk does not answer")

    object.__setattr__(drill._incident, "remember", silent)
    assert drill.run().verdict == "unknown"


def test_a_near_miss_gets_its_share_of_the_time_and_is_taken_out(
    toy: Any, lamp: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    did: list[str] = []
    shares: list[float] = []

    def measured(seconds: float) -> Deadline:
        shares.append(seconds)
        return Deadline(seconds)

    monkeypatch.setattr("lakeproof.drills.healthy_drill.Deadline", measured)
    dusty = plugins.fault(
        "dusty_lamp",
        lambda stack, arguments: did.append("in"),
        lambda stack, arguments: did.append("out"),
        lambda stack, arguments: Sign(did[-1] == "in", "dust"),
    )
    report = near(toy, lamp, tmp_path, [Step("dusty_lamp")], {"dusty_lamp": dusty}).run()
    assert (report.verdict, report.reasons, did) == ("passed", [], ["in", "out"])
    assert report.near_misses == ["dusty_lamp"]
    assert shares == pytest.approx([0.1, 0.1])
    assert "near miss dusty_lamp: dust" in (tmp_path / "report" / "journal.json").read_text()


def test_a_near_miss_of_which_somebody_is_told_fails_it_and_is_taken_out(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = near(toy, lamp, tmp_path, [Step("covered_lamp", (("cloth", "blue"),)), Step("never_put_in")], {})
    report = drill.run()
    assert (report.verdict, lamp.covered) == ("failed", False)
    assert "near miss covered_lamp cloth=blue: LampDark fires" in report.reasons[0]
    assert records.recorded(drill._world.stack) == ()


def test_a_look_that_fails_takes_the_near_miss_out_before_anything_is_judged(
    toy: Any, lamp: Any, tmp_path: Path
) -> None:
    drill = near(toy, lamp, tmp_path, [Step("covered_lamp", (("cloth", "blue"),))], {})

    def look(watch: Any) -> str:
        if lamp.covered:
            raise CouldNotLook("the desk does not answer")
        return ""

    drill._seen = look  # type: ignore[method-assign]
    report = drill.run()
    assert (report.verdict, report.residue, lamp.covered) == ("unknown", [], False)
    assert "the desk does not answer" in report.reasons[0]


def test_a_near_miss_that_cannot_be_put_in_leaves_it_unknown(toy: Any, lamp: Any, tmp_path: Path) -> None:
    def refuse(stack: Any, arguments: Any) -> None:
        raise TerminalError("only 0 parcels waited")

    heavy = plugins.fault("heavy_lamp", refuse, lambda *_: None, lambda *_: Sign(False, ""))
    report = near(toy, lamp, tmp_path, [Step("heavy_lamp")], {"heavy_lamp": heavy}).run()
    assert (report.verdict, report.near_misses) == ("unknown", [])
    assert "near miss heavy_lamp could not be put in: only 0 parcels waited" in report.reasons[0]


def test_a_near_miss_that_stays_in_ends_the_look(toy: Any, lamp: Any, tmp_path: Path) -> None:
    def stay(stack: Any, arguments: Any) -> None:
        raise TerminalError("it does not come off")

    stuck = plugins.fault("stuck_lamp", lambda *_: None, stay, lambda *_: Sign(True, "glued"))
    report = near(toy, lamp, tmp_path, [Step("stuck_lamp"), Step("never_put_in")], {"stuck_lamp": stuck}).run()
    assert (report.near_misses, report.residue) == (["stuck_lamp"], ["fault stuck_lamp"])
    assert "near miss stuck_lamp could not be taken out" in report.reasons[0]


def test_an_interrupted_near_miss_is_taken_out(toy: Any, lamp: Any, tmp_path: Path) -> None:
    drill = near(toy, lamp, tmp_path, [Step("covered_lamp", (("cloth", "blue"),))], {})

    def interrupt() -> str:
        if lamp.covered:
            raise KeyboardInterrupt
        return ""

    drill._seen = lambda watch: interrupt()  # type: ignore[method-assign]
    drill._diagnosed = lambda: ""  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        drill.run()
    assert not lamp.covered
    assert records.recorded(drill._world.stack) == ()
