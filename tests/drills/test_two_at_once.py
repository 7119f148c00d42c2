"""Two scenarios in one drill: both faults in, both causes named, both repaired, by one course."""

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.doubles import plugins
from tests.doubles.plugins import OURS

from lakeproof.arguments import Arguments
from lakeproof.checks.verdict import Outcome
from lakeproof.diagnosis.cause import Cause, Evidence, Step
from lakeproof.drills.bound_checks import bind
from lakeproof.drills.drill import Drill
from lakeproof.drills.plan import DrillPlan, make_plan
from lakeproof.drills.report import DrillReport
from lakeproof.drills.run import DrillOptions
from lakeproof.drills.verdict import against_truth
from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.faults.fault import Fault, Sign, all_faults
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.repairs.running import StepDone, mend
from lakeproof.scenarios.catalog import Catalog, load_catalog
from lakeproof.scenarios.scenario import Traffic, read_scenario
from lakeproof.scenarios.truth import Truth
from lakeproof.stack.stack import Stack


class Bell:
    """A second thing that can break: muffled, it also keeps the lamp's cloth in place."""

    muffled = False
    looks = 0
    slow = 0

    def told(self) -> bool:
        """Whether its alert fires: from the look after `slow` ones on."""
        self.looks += 1
        return self.muffled and self.looks > self.slow

    def heard(self) -> bool:
        """Nobody hears that it is muffled before its alert does."""
        return self.muffled and self.looks >= self.slow

    def muffle(self, stack: Stack, arguments: Arguments) -> None:
        self.muffled = True

    def free(self, stack: Stack, arguments: Arguments) -> None:
        self.muffled = False

    def sign(self, stack: Stack, arguments: Arguments) -> Sign:
        return Sign(self.muffled, "muffled" if self.muffled else "free")

    def ring(self, stack: Stack, arguments: Arguments) -> str:
        self.muffled = False
        return "rings"


def both(toy: Any, lamp: Any, bell: Bell, home: Path, alerts: Sequence[str] = ("LampDark",)) -> Drill:
    """A drill of the toy's scenario and of another one for the bell. `alerts`: of the second."""
    world = toy.world(lamp, home)
    world = dataclasses.replace(world, firing=lambda alert: lamp.covered if alert == "LampDark" else bell.told())
    old: Catalog = world.catalog
    folder = home / "mute-bell"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    scenario = toy.SCENARIO | {"id": "mute-bell", "fault": {"id": "muffled_bell"}, "alerts": [*alerts]}
    truth = toy.TRUTH | {"root_cause": "bell_muffled", "accepted_repairs": [{"id": "ring_bell"}], "wrong_fixes": []}
    (folder / "scenario.yaml").write_text(yaml.safe_dump(scenario))
    (folder / "truth.yaml").write_text(yaml.safe_dump(truth))
    probe = Probe("bell", "bell", "listen", "", lambda stack, timeout: bell.heard(), Condition(Operator.IS, False))
    evidence = (Evidence("bell", Condition(Operator.IS, True)),)
    cause = Cause(
        "bell_muffled", "mute-bell", {"en": "muffled", "vi": "bịt"}, evidence, (), (), (), (), (Step("ring_bell"),)
    )
    catalog = dataclasses.replace(
        old,
        scenarios={**old.scenarios, "mute-bell": read_scenario(folder)},
        causes=(*old.causes, cause),
        probes={**old.probes, "bell": probe},
        faults={**old.faults, "muffled_bell": plugins.fault("muffled_bell", bell.muffle, bell.free, bell.sign)},
        mitigations={
            **old.mitigations,
            "ring_bell": plugins.mitigation("ring_bell", bell.ring),
        },
    )
    plan = make_plan([catalog.scenarios["dark-lamp"], catalog.scenarios["mute-bell"]])
    return Drill(
        dataclasses.replace(world, catalog=catalog),
        plan,
        DrillOptions(1, home / "report", "run-1"),
        lambda text: None,
    )


@pytest.fixture
def lamp(toy: Any) -> Any:
    return toy.Lamp()


def test_two_faults_at_once_are_both_named_and_both_repaired(toy: Any, lamp: Any, tmp_path: Path) -> None:
    bell = Bell()
    report = both(toy, lamp, bell, tmp_path).run()
    assert report.reasons == []
    assert report.verdict == "passed"
    assert report.scenario == "dark-lamp+mute-bell"
    assert set(str(report.root_cause).split("+")) == {"lamp_covered", "bell_muffled"}
    assert {done.action for done in report.mitigations} == {"uncover_lamp", "ring_bell"}
    assert not bell.muffled and not lamp.covered


def test_a_fault_that_shows_behind_the_capture_goes_in_before_one_that_may_stop_it(
    toy: Any, lamp: Any, tmp_path: Path
) -> None:
    drill = both(toy, lamp, Bell(), tmp_path)
    faults: Any = drill.world.catalog.faults
    faults["muffled_bell"].through_capture = True
    removed: list[str] = []

    def remember(fault: type[Fault]) -> type[Fault]:
        def remove(stack: Stack, given: Any) -> None:
            removed.append(fault.id)
            fault.remove(given, stack)

        return plugins.fault(
            fault.id,
            lambda stack, given: fault.inject(given, stack),
            remove,
            lambda stack, given: fault.sign(given, stack),
            kind=fault,
        )

    faults.update({name: remember(fault) for name, fault in faults.items()})
    drill.run()
    journal = json.loads((tmp_path / "report/journal.json").read_text())
    told = [entry["what"] for entry in journal if entry["phase"] == "inject" and ":" in entry["what"]]
    assert [line.split(":")[0] for line in told] == ["muffled_bell", "covered_lamp"]
    assert removed == ["covered_lamp", "muffled_bell"]


def test_what_shows_behind_the_capture_or_needs_the_lakes_job_goes_in_first() -> None:
    first = [name for name, fault in all_faults(OURS).items() if fault.through_capture]
    assert first == ["changed_connector", "deleted_lake_rows", "filtered_capture", "widened_column"]


def test_both_alerts_are_awaited_before_the_diagnosis(toy: Any, lamp: Any, tmp_path: Path) -> None:
    bell = Bell()
    bell.slow = 4
    report = both(toy, lamp, bell, tmp_path, ["BellMuffled"]).run()
    assert set(str(report.root_cause).split("+")) == {"lamp_covered", "bell_muffled"}, report.reasons
    assert report.verdict == "passed"


def test_a_cause_that_the_other_one_hides_is_named_and_repaired_once_that_is_mended(
    toy: Any, lamp: Any, tmp_path: Path
) -> None:
    bell = Bell()
    drill = both(toy, lamp, bell, tmp_path)
    covered, muffled = drill.world.catalog.causes
    object.__setattr__(muffled, "masked_by", ("lamp_covered",))
    # What the covered lamp brings about goes with it, and is never named.
    dim = dataclasses.replace(covered, id="room_dim", masked_by=("lamp_covered",))
    drill.world = dataclasses.replace(
        drill.world, catalog=dataclasses.replace(drill.world.catalog, causes=(covered, muffled, dim))
    )
    report = drill.run()
    assert report.reasons == []
    assert report.verdict == "passed"
    assert report.named_causes == ["lamp_covered", "bell_muffled"]
    assert [done.action for done in report.mitigations] == ["uncover_lamp", "ring_bell"]
    assert lamp.told.count("mitigating") == 2
    # Two diagnoses are kept, and the newest has the first cause's evidence too.
    assert lamp.told.count("attached diagnosis") == 2
    journal = json.loads((tmp_path / "report/journal.json").read_text())
    newest = [entry["facts"]["diagnosis"] for entry in journal if "diagnosis" in entry.get("facts", {})][-1]
    assert [one["cause"] for one in newest["causes"]] == ["lamp_covered", "bell_muffled"]


def test_a_cause_that_nobody_can_look_for_beside_the_other_one_is_named_once_that_is_mended(
    toy: Any, lamp: Any, tmp_path: Path
) -> None:
    """As a login that a full database lets nobody try."""
    bell = Bell()
    drill = both(toy, lamp, bell, tmp_path)

    def listen(stack: Stack, timeout: float) -> bool:
        if lamp.covered:
            raise CouldNotLook("the cloth keeps every sound in", where="bell")
        return bell.heard()

    probe = drill.world.catalog.probes["bell"]
    object.__setattr__(probe, "ask", listen)
    report = drill.run()
    assert report.reasons == []
    assert report.verdict == "passed"
    assert report.named_causes == ["lamp_covered", "bell_muffled"]
    assert [done.action for done in report.mitigations] == ["uncover_lamp", "ring_bell"]


def test_one_of_two_that_is_not_named_fails_the_drill_and_both_faults_come_out(
    toy: Any, lamp: Any, tmp_path: Path
) -> None:
    bell = Bell()
    drill = both(toy, lamp, bell, tmp_path)
    never = (Evidence("bell", Condition(Operator.IS, "a third thing")),)
    object.__setattr__(drill.world.catalog.causes[1], "necessary", never)
    report = drill.run()
    assert report.verdict == "failed"
    assert any("bell_muffled" in reason for reason in report.reasons)
    assert not bell.muffled and not lamp.covered


def test_a_repair_that_needs_the_other_one_first_is_tried_once_more(toy: Any, lamp: Any, tmp_path: Path) -> None:
    bell = Bell()
    drill = both(toy, lamp, bell, tmp_path)
    steps: Any = drill.world.catalog.mitigations
    uncover = steps["uncover_lamp"]

    def only_when_it_rings(stack: Stack, given: Any) -> str:
        if bell.muffled:
            raise TerminalError("the bell's muffler holds the cloth")
        return str(uncover.run(given, stack))

    steps["uncover_lamp"] = plugins.mitigation("uncover_lamp", only_when_it_rings, kind=uncover)
    bell.muffled = lamp.covered = True
    told: list[StepDone] = []
    repairs = [[Step("uncover_lamp")], [Step("ring_bell")]]
    ended = mend(drill.world.stack, steps, repairs, lambda text: None, lambda text: None, told.append)
    assert ended == (Outcome.PASSED, "")
    assert [(done.action, done.outcome.value) for done in told] == [
        ("uncover_lamp", "failed"),
        ("ring_bell", "passed"),
        ("uncover_lamp", "passed"),
    ]


def test_a_single_repair_is_not_tried_twice(toy: Any, tmp_path: Path) -> None:
    drill = both(toy, toy.Lamp(stuck=True), Bell(), tmp_path)
    told: list[StepDone] = []
    steps: Any = drill.world.catalog.mitigations
    repairs = [[Step("uncover_lamp")]]
    outcome, why = mend(drill.world.stack, steps, repairs, lambda text: None, lambda text: None, told.append)
    assert (outcome, len(told)) == (Outcome.FAILED, 1)
    assert "nailed down" in why


def test_one_fault_cannot_be_made_twice(toy: Any, lamp: Any, tmp_path: Path) -> None:
    scenario = toy.catalog(lamp, tmp_path).scenarios["dark-lamp"]
    with pytest.raises(InvalidInput, match="covered_lamp would be made twice"):
        make_plan([scenario, scenario])


def test_our_two_scenarios_go_together_and_the_same_claim_with_other_arguments_is_made_twice() -> None:
    catalog = load_catalog()
    plan = make_plan([catalog.scenario("replication-lag"), catalog.scenario("connector-failure")])
    names = [each.name for each in bind(plan, catalog)]
    assert len(names) == len(set(names))
    assert {"metric_below_threshold", "metric_below_threshold (2)", "no_order_lost"} <= set(names)
    assert names[-3:] == ["survives_restart", "no_order_lost", "whole_transactions"]
    of_connect = ("KafkaConnectTaskFailed", "KafkaConnectConnectorMissing", "CaptureSettingsChanged")
    assert plan.alerts == ("CdcReplicationLagHigh", *of_connect)


def _traffic(*names: str) -> tuple[float, float, int]:
    catalog = load_catalog()
    asked = make_plan([catalog.scenario(name) for name in names]).traffic
    return asked.rate, asked.purchases, asked.orders


def test_beside_the_whole_shop_shoppers_come_as_its_scenarios_ask_and_the_path_alone_bears_more() -> None:
    assert _traffic("replication-lag", "schema-drift") == (40, 0, 1500)
    assert _traffic("schema-drift", "notification-failure") == (6, 1, 100)
    assert _traffic("ttl-oversell", "notification-failure") == (6, 1, 100)


def test_of_several_that_buy_each_gets_as_much_as_it_asks_for(toy: Any, lamp: Any, tmp_path: Path) -> None:
    (scenario,) = toy.catalog(lamp, tmp_path).scenarios.values()
    path, few, many = (
        dataclasses.replace(scenario, traffic=Traffic(**traffic))
        for traffic in (
            {"rate": 50, "least_rate": 10, "orders": 1500},
            {"rate": 6, "purchases": 1, "orders": 100},
            {"rate": 20, "purchases": 0.5, "orders": 300},
        )
    )
    asked = DrillPlan((path, few, many)).traffic
    assert (asked.rate, asked.purchases, asked.orders, asked.least_rate) == (20, 1, 300, 10)
    assert DrillPlan((path, few)).traffic.rate == 10
    # A scenario that is not played may be up as well; what its fault needs is nobody's need then.
    beside = DrillPlan((few,), beside=(path, many)).traffic
    assert (beside.rate, beside.least_rate) == (20, 0)


def test_a_fault_that_only_shows_under_calls_gets_them_beside_the_shop_too() -> None:
    assert _traffic("kafka-backlog", "notification-failure") == (30, 1, 100)
    assert _traffic("kafka-backlog:store_late", "notification-failure") == (30, 1, 100)
    assert _traffic("kafka-backlog") == (50, 0, 1500)


def test_the_truth_of_each_part_must_be_met() -> None:
    truths = [Truth(name, {}, ((Step(f"mend_{name}"),),), ()) for name in ("a", "b")]
    report = DrillReport("x+y", 1, "drill", named_causes=["b", "a"])
    report.mitigations = [StepDone("mend_a", 1, Outcome.PASSED, "")]
    assert against_truth(report, truths) == ["mend_a is no accepted repair of b"]
    report.named_causes = ["a"]
    assert "named a, the root cause was a, b" in against_truth(report, truths)[0]


def test_a_repair_is_its_steps_none_missing_and_none_too_many() -> None:
    truth = Truth("login_rejected", {}, ((Step("restore_password"), Step("restart")), (Step("redeploy"),)), ())
    report = DrillReport("x", 1, "drill", named_causes=["login_rejected"])

    def told(*steps: str) -> list[str]:
        report.mitigations = [StepDone(step, 1, Outcome.PASSED, "") for step in steps]
        return against_truth(report, [truth])

    assert told("restart") == ["restart is no accepted repair of login_rejected"]
    assert told("restore_password", "restart", "restart") == told("redeploy") == []
    assert told("redeploy", "restart") == ["redeploy, restart is more than a repair of login_rejected"]
    assert told("redeploy", "restore_password", "restart")[0].endswith("is more than a repair of login_rejected")
    other = Truth("b", {}, ((Step("restart"),),), ())
    report.named_causes = ["b", "login_rejected"]
    assert "more than a repair of b, login_rejected" in against_truth(report, [truth, other])[0]
    report.mitigations = report.mitigations[1:]
    assert against_truth(report, [truth, other]) == []


def test_a_cause_beside_the_true_one_fails_the_drill_and_so_does_the_right_step_on_another_part() -> None:
    truth = Truth("ring_down", {}, ((Step("start_component", (("component", "cassandra-node2"),)),),), ())
    report = DrillReport("x", 1, "drill", named_causes=["ring_down", "redis_down"])
    report.mitigations = [StepDone("start_component", 1, Outcome.PASSED, "", {"component": "redis"})]
    assert against_truth(report, [truth]) == [
        "the diagnosis named redis_down, ring_down, the root cause was ring_down",
        "start_component component=redis is no accepted repair of ring_down",
    ]
    report.named_causes = ["ring_down"]
    report.mitigations = [StepDone("start_component", 1, Outcome.PASSED, "", {"component": "cassandra-node2"})]
    assert against_truth(report, [truth]) == []
