"""Blind drills: what is drawn, and that nothing tells of it before the review."""

import json
from pathlib import Path
from typing import Any

import pytest

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.blind import draw
from lakeproof.drills.drill import Drill
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.run import DrillOptions
from lakeproof.faults import records
from lakeproof.scenarios.catalog import load_catalog


def blind_drill(toy: Any, lamp: Any, home: Path, said: list[str]) -> Drill:
    world = toy.world(lamp, home)
    plan = DrillPlan((world.catalog.scenarios["dark-lamp"],))
    return Drill(world, plan, DrillOptions(1, home / "report", "drill-blind", blind=True), said.append)


def before_the_review(home: Path, said: list[str]) -> str:
    """What was said and kept until then, but for what the diagnosis found by itself: a cause is of a scenario."""
    events = json.loads((home / "report" / "journal.json").read_text())
    for event in events:
        event.get("facts", {}).pop("diagnosis", None)
    phases = [event["phase"] for event in events]
    assert "review" in phases
    review = next(number for number, line in enumerate(said) if "  review " in line)
    return json.dumps(events[: phases.index("review")]) + "\n".join(said[:review])


def test_neither_console_nor_journal_names_scenario_fault_or_claims_before_the_review(
    toy: Any, tmp_path: Path
) -> None:
    lamp, said = toy.Lamp(), list[str]()
    by: list[str] = []
    cover = lamp.cover

    def covered(*given: Any) -> None:
        by.extend(record.by for record in records.recorded(given[0]))
        cover(*given)

    lamp.cover = covered
    report = blind_drill(toy, lamp, tmp_path, said).run()
    assert (report.verdict, report.reasons) == (Outcome.PASSED, [])
    told = before_the_review(tmp_path, said)
    for word in ("dark-lamp", "covered_lamp", "lamp_lit", "lamp_kept", "the lamp is lit"):
        assert word not in told
    assert by == ["drill blind"]
    (told_then,) = [line for line in said if "this was dark-lamp. covered_lamp: " in line]
    assert "  review " in told_then
    assert report.scenario == "dark-lamp"


def test_a_blind_drill_that_fails_says_why_at_its_end_only(
    toy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeproof.drills.run.SETTLE_SECONDS", 0.05)
    lamp, said = toy.Lamp(), list[str]()
    lamp.lost = 1
    report = blind_drill(toy, lamp, tmp_path, said).run()
    assert "lamp_kept" in " ".join(report.reasons)
    assert not [line for line in said if "lamp_kept" in line]
    assert "lamp_kept" in (tmp_path / "report" / "report.json").read_text()


def test_the_seed_draws_every_scenario_and_every_cause_and_the_same_again() -> None:
    catalog = load_catalog()
    drawn = {draw(catalog, seed).id for seed in range(2000)}
    assert drawn == {played.name for played in catalog.played}
    assert draw(catalog, 7) == draw(catalog, 7)


def test_what_is_started_does_not_tell_what_was_drawn() -> None:
    catalog = load_catalog()
    plans = [draw(catalog, seed) for seed in range(20)]
    assert len({plan.id for plan in plans}) > 1
    assert len({frozenset(plan.components) for plan in plans}) == 1
    assert all(plan.touches == plan.parts[0].touches for plan in plans)


def test_how_shoppers_come_tells_of_nothing_but_a_fault_that_needs_their_calls() -> None:
    catalog = load_catalog()
    plans = [draw(catalog, seed) for seed in range(300)]
    assert {plan.parts[0].id: plan.traffic.rate for plan in plans} == {
        name: 30 if name == "kafka-backlog" else 6 for name in catalog.scenarios
    }
    alike = {(plan.traffic.purchases, plan.traffic.orders, plan.traffic.seconds_before) for plan in plans}
    assert len(alike) == 1
