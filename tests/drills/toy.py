"""A toy stack for drills: one lamp that can be covered, seen by a probe, an alert, a desk and shoppers."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tests.doubles import plugins

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.diagnosis.cause import Cause, Evidence, Step
from lakeproof.drills.drill import Drill
from lakeproof.drills.plan import make_plan
from lakeproof.drills.run import DrillOptions
from lakeproof.drills.world import FiringView, IncidentView, TrafficResult, World
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.faults.fault import Sign
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.looking import look_once, observe
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Reading
from lakeproof.processes.parts import Parts
from lakeproof.scenarios.catalog import Catalog
from lakeproof.scenarios.scenario import read_scenario
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

SCENARIO = {
    "id": "dark-lamp",
    "titles": {"vi": "đèn tối", "en": "the lamp is dark"},
    "severity": "high",
    "team": "kafka",
    "sla_minutes": 30,
    "components": ["connect"],
    "touches": ["connect"],
    "use_cases": ["inventory-360"],
    "fault": {"id": "covered_lamp", "args": {"cloth": "blue"}},
    "alerts": ["LampDark"],
    "evidence": ["lamp"],
    "checks": [{"id": "lamp_lit"}, {"id": "lamp_kept"}],
    "budgets": {"detect": 0.5, "recover": 0.3, "verify": 1, "quiet": 0},
    "traffic": {"rate": 1, "seconds_before": 0, "orders": 2},
}
TRUTH = {
    "root_cause": "lamp_covered",
    "trigger": {"vi": "khăn phủ", "en": "a cloth"},
    "accepted_repairs": [{"id": "uncover_lamp"}],
    "wrong_fixes": [
        {
            "id": "look_away",
            "steps": [{"id": "look_away"}],
            "says": {"vi": "quay đi", "en": "look away"},
            "rejected_by": ["lamp_lit"],
        }
    ],
}


class Cloth(Arguments):
    cloth: str = "red"


@dataclass
class Lamp:
    """The stack. `uncoverable`: the repair breaks. `spied`: what else goes wrong."""

    covered: bool = False
    heard: bool = True
    stuck: bool = False
    interrupt: bool = False
    shopping: bool = False
    lost: int = 0
    counted: str = "lost"
    firings: int = 0
    rubbish: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    unstoppable: bool = False
    opened: list[IncidentView] = field(default_factory=list)
    asked_of_a_mended_stack: bool = False

    # the fault and the repairs

    def cover(self, stack: Stack, arguments: Cloth) -> None:
        assert arguments.cloth == "blue"
        self.covered = True
        if self.heard:
            self.firings += 1
            self.opened.append(IncidentView("INC-000001", (FiringView("LampDark", f"firing {self.firings}"),)))

    def remove(self, stack: Stack, arguments: Cloth) -> None:
        self.covered = False

    def sign(self, stack: Stack, arguments: Cloth) -> Sign:
        return Sign(self.covered, "dark" if self.covered else "lit")

    def uncover(self, stack: Stack, arguments: Arguments) -> str:
        if self.interrupt:
            raise KeyboardInterrupt
        if self.stuck:
            raise TerminalError("the cloth is nailed down")
        self.covered = False
        return "lit"

    def look_away(self, stack: Stack, arguments: Arguments) -> str:
        self.rubbish.append("blindfold")
        return "nothing to be seen"

    def look_back(self, stack: Stack, arguments: Arguments) -> None:
        self.rubbish.remove("blindfold")

    # the check

    def claim(self, context: CheckContext) -> Verdict:
        outcome = Outcome.FAILED if self.covered else Outcome.PASSED
        return Verdict(
            "the lamp is lit", outcome, "dark" if self.covered else "lit", {self.counted: float(self.lost)}
        )

    def claim_again(self, context: CheckContext) -> Verdict:
        self.asked_of_a_mended_stack = context.fault_made
        return self.claim(context)

    def kept(self) -> Verdict:
        return Verdict("no lamp was lost", Outcome.FAILED if self.lost else Outcome.PASSED, f"lost {self.lost}")

    # the desk

    def ids(self) -> frozenset[str]:
        return frozenset(incident.id for incident in self.opened)

    def incidents(self, known: frozenset[str]) -> Sequence[IncidentView]:
        return self.opened

    def keep_closed(self) -> None:
        self.told.append("kept closed")

    def acknowledge(self, incident: str) -> None:
        self.told.append("acknowledged")

    def mitigate(self, incident: str, text: str) -> None:
        self.told.append("mitigating")

    def note(self, incident: str, kind: str, text: str) -> None:
        self.told.append(f"note {kind}")

    def attach(self, incident: str, kind: str, title: str, body: Any, readings: Sequence[Reading] = ()) -> None:
        self.told.append(f"attached {kind}")

    def resolve(self, incident: str, text: str) -> None:
        self.told.append("resolved")

    def rca(self, incident: str, root_cause: str) -> str:
        return f"# RCA\n\nRoot cause: {root_cause}"

    # the shoppers

    def start(self, rate: float, seed: int, run: str, purchases: float) -> None:
        if self.shopping:
            raise InvalidInput("twice")
        self.shopping = True
        self.runs.append(run)

    def settle_leftovers(self) -> int:
        return 0

    def orders(self) -> int:
        return 3

    def stop(self) -> TrafficResult | None:
        was, self.shopping = self.shopping, False
        if self.unstoppable:
            raise TerminalError("the shoppers did not stop")
        return TrafficResult(10, 10, 0, 0, {}, 1.0) if was else None


def catalog(lamp: Lamp, home: Path) -> Catalog:
    """The toy's catalog, its scenario and truth read from real files."""
    folder = home / "dark-lamp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "scenario.yaml").write_text(yaml.safe_dump(SCENARIO))
    (folder / "truth.yaml").write_text(yaml.safe_dump(TRUTH))
    dark = Condition(Operator.IS, True)
    probes = (
        Probe("lamp", "lamp", "look at it", "", lambda stack, timeout: lamp.covered, Condition(Operator.IS, False)),
        Probe("things", "room", "list", "", lambda stack, timeout: " ".join(lamp.rubbish), inventory=True),
    )
    cause = Cause(
        "lamp_covered",
        "dark-lamp",
        {"vi": "bị phủ", "en": "it is covered"},
        (Evidence("lamp", dark),),
        (),
        (),
        (),
        (),
        (Step("uncover_lamp"),),
    )
    uncover = plugins.mitigation("uncover_lamp", lamp.uncover, typed="lift")
    look_away = plugins.wrong_step("look_away", lamp.look_away, lamp.look_back)
    checks = (
        plugins.check(
            "lamp_lit",
            lambda context: Baseline(lamp.claim(context)),
            lambda context, before: lamp.claim_again(context),
            claim="the lamp is lit",
            watched=True,
        ),
        plugins.check(
            "lamp_kept",
            lambda context: Baseline(lamp.kept()),
            lambda context, before: lamp.kept(),
            claim="no lamp was lost",
            judges_rows=True,
        ),
    )
    return Catalog(
        {"dark-lamp": read_scenario(folder)},
        (cause,),
        {probe.id: probe for probe in probes},
        {"covered_lamp": plugins.fault("covered_lamp", lamp.cover, lamp.remove, lamp.sign, Cloth)},
        {uncover.id: uncover},
        {look_away.id: look_away},
        {check.id: check for check in checks},
    )


def world(lamp: Lamp, home: Path) -> World:
    """The toy's world."""
    return World(
        stack=Stack(Settings(state_dir=home / "state")),
        catalog=catalog(lamp, home),
        bring_up=lambda names, progress: (),
        desk=lamp,
        traffic=lamp,
        observe=lambda probes, again: observe(
            Stack(Settings(state_dir=home / "state")), probes, again, pause_seconds=0
        ),
        look=lambda probes: look_once(Stack(Settings(state_dir=home / "state")), probes),
        firing=lambda alert: lamp.covered,
        all_firing=lambda: ["LampDark"] if lamp.covered else [],
        parts=lambda: Parts(frozenset(all_components())),
    )


def drill(
    lamp: Lamp, home: Path, fix: str | None = None, progress: Callable[[str], None] = lambda text: None
) -> Drill:
    """A drill of the toy scenario, ready to run."""
    surroundings = world(lamp, home)
    plan = make_plan([surroundings.catalog.scenarios["dark-lamp"]])
    steps = None if fix is None else (Step(fix),)
    return Drill(surroundings, plan, DrillOptions(1, home / "report", "run-1", steps), progress)
