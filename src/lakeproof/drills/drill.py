"""One run of a scenario through its phases. It has no word about any scenario: all that it does is data.

It breaks the stack, then plays the operator: waits for the alert and for the desk's incident (which it never opens),
diagnoses the live stack, runs the repair that the diagnosed cause names, waits for recovery, verifies every claim.
The truth is read at the end only, to judge the diagnosis. Whatever happens, the fault is taken out again.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, worst
from lakeproof.deadline import Deadline
from lakeproof.drills.alert_watch import AlertWatch
from lakeproof.drills.cleaning import look_inventory, remove_old_faults, residue, take_out, undo_steps
from lakeproof.drills.diagnosis import Diagnosis
from lakeproof.drills.examination import examined
from lakeproof.drills.journal import Journal
from lakeproof.drills.judging import against_truth, worst_of
from lakeproof.drills.new_incident import NewIncident
from lakeproof.drills.phases import Phase, PhaseRecord, Stopwatch
from lakeproof.drills.report import DrillReport
from lakeproof.drills.settling import SETTLE_SECONDS, await_calm, take_known_baselines
from lakeproof.drills.shopping import await_orders, stop_shoppers
from lakeproof.drills.steps import run_step
from lakeproof.drills.verification import bind, counted, verify
from lakeproof.drills.world import World
from lakeproof.errors import CouldNotLook, LakeproofError, TransientError
from lakeproof.faults import records
from lakeproof.probes.reading import Reading, Value
from lakeproof.scenarios.causes import Step
from lakeproof.scenarios.scenario import Scenario

log = logging.getLogger(__name__)

# `detect` and `quiet` of the budgets are multiplied by this: production rules have longer windows.
TIMING_FACTOR = {"drill": 1, "production": 12}
LOOK_SECONDS = 1.0
PUBLISHED = ("published-hash", "published-checkpoint")


@dataclass(frozen=True)
class DrillOptions:
    """How to run it. fix: the steps to run instead of the diagnosed repair. blind: name nothing before the review."""

    seed: int
    folder: Path
    run: str
    fix: tuple[Step, ...] | None = None
    fix_name: str = ""
    blind: bool = False


class Drill:
    """One run. `run()` gives the report; `report` is filled meanwhile, and can be read after an interruption."""

    def __init__(
        self, world: World, scenario: Scenario, options: DrillOptions, progress: Callable[[str], None]
    ) -> None:
        self.world, self.scenario, self.options = world, scenario, options
        self.timing = world.stack.settings.timing
        self.report = DrillReport(scenario.id, options.seed, self.timing)
        self.journal = Journal(options.folder, progress)
        self._factor = TIMING_FACTOR[self.timing]
        self._fault = world.catalog.faults[scenario.fault.id]
        self._checks = bind(scenario, world.catalog)
        self._baselines: Mapping[str, Baseline] = {}
        self._inventory: Mapping[str, Reading] = {}
        self._diagnosis = Diagnosis((), ())
        self._injected: Stopwatch | None = None
        self._repair: Stopwatch | None = None
        self._alerts = AlertWatch(scenario.alerts, world.firing)
        self._incident = NewIncident(world.desk, scenario.alerts)
        self._steps: list[Step] = []

    def run(self) -> DrillReport:
        """All phases. Raises: KeyboardInterrupt, once the fault is out and the report written."""
        try:
            self._phases()
        except KeyboardInterrupt:
            self.report.reasons.append("interrupted")
            self.journal.write("end", "interrupted: taking the fault out")
            raise
        finally:
            self._clean()
            self._close_incident()
            self._conclude()
            self.report.write(self.options.folder)
        return self.report

    def _phases(self) -> None:
        if self._phase(Phase.BASELINE, self._baseline) is not Outcome.PASSED:
            return
        if self._phase(Phase.INJECT, self._inject) is not Outcome.PASSED:
            return
        self._phase(Phase.DETECT, self._detect)
        self._phase(Phase.DIAGNOSE, self._diagnose)
        self._phase(Phase.MITIGATE, self._mitigate)
        self._phase(Phase.RECOVER, self._recover)
        self._phase(Phase.VERIFY, self._verify)
        self._phase(Phase.REVIEW, self._review)

    def _phase(self, phase: Phase, do: Callable[[], tuple[Outcome, str]]) -> Outcome:
        watch = Stopwatch()
        self.journal.write(phase, "begins")
        outcome, why = Outcome.UNKNOWN, "interrupted"
        try:
            outcome, why = do()
        except CouldNotLook as error:
            outcome, why = Outcome.UNKNOWN, error.message
        except TransientError as error:
            # Before the fault is in, "no answer" says nothing about recovery; later it is the matter.
            early = phase in (Phase.BASELINE, Phase.INJECT)
            outcome, why = Outcome.UNKNOWN if early else Outcome.FAILED, error.message
        except LakeproofError as error:
            outcome, why = Outcome.FAILED, error.message
        except Exception as error:  # the top of a drill: a bug must not leave the fault in the stack
            log.exception("drill %s, phase %s", self.scenario.id, phase)
            outcome, why = Outcome.UNKNOWN, f"{type(error).__name__}: {error}"
        finally:
            self.report.phases.append(PhaseRecord(phase, watch.started_at, watch.seconds, outcome, why))
            if outcome is not Outcome.PASSED:
                self.report.reasons.append(f"{phase.value}: {why}")
            self.journal.write(phase, f"{outcome.value}{f': {why}' if why else ''}", seconds=round(watch.seconds, 3))
        return outcome

    def _tell(self, phase: Phase) -> Callable[[str], None]:
        return lambda text: self.journal.tell(phase, text)

    def _context(self, seconds: float, phase: Phase) -> CheckContext:
        return CheckContext(
            stack=self.world.stack,
            deadline=Deadline(seconds),
            components=self.scenario.touches,
            alerts=self.scenario.alerts,
            evidence=self.scenario.evidence,
            quiet_seconds=self.scenario.budgets.quiet * self._factor,
            run=self.options.run,
            scenario_dirs=(self.scenario.folder,),
            progress=self.journal.seldom(phase),
        )

    # baseline

    def _baseline(self) -> tuple[Outcome, str]:
        """Take old faults out, start what is missing, see that every claim holds, let shoppers buy."""
        try:
            # First, since a component that an old fault stopped would not become healthy.
            remove_old_faults(self.world, self.journal)
        except LakeproofError as error:
            self.journal.write(Phase.BASELINE, f"tried again once the stack is up: {error.message}")
        started = self.world.bring_up(self.scenario.components, self._tell(Phase.BASELINE))
        remove_old_faults(self.world, self.journal)
        self.journal.write(Phase.BASELINE, f"up: {len(started)} components started", started=list(started))
        if not await_calm(self._checks, self._context(SETTLE_SECONDS, Phase.BASELINE)):
            self.journal.tell(Phase.BASELINE, "the stack is not calm; the checks will say why")
        # Before the shoppers come: then the engines stand still, and digests that agree need no second look.
        self._baselines = take_known_baselines(
            self._checks,
            lambda: self._context(self.scenario.budgets.verify, Phase.BASELINE),
            self._tell(Phase.BASELINE),
            SETTLE_SECONDS,
        )
        self.report.published_before = self._published()
        # Not sooner: a stack that has just started still makes things of its own (a topic with its first use).
        self._inventory = look_inventory(self.world)
        verdicts = {name: each.verdict for name, each in self._baselines.items()}
        failing = [
            f"{name}: {verdict.summary}"
            for name, verdict in verdicts.items()
            if verdict.outcome is not Outcome.PASSED
        ]
        if failing:
            return worst(list(verdicts.values())), "; ".join(failing)
        traffic = self.scenario.traffic
        self.world.traffic.start(traffic.rate, self.options.seed, self.options.run)
        self.journal.write(Phase.BASELINE, f"shoppers ask {traffic.rate:g} times a second", run=self.options.run)
        Deadline(traffic.seconds_before).pause(traffic.seconds_before)
        return Outcome.PASSED, ""

    # inject

    def _inject(self) -> tuple[Outcome, str]:
        name = "the fault" if self.options.blind else self._fault.id
        self._incident.remember()
        self._injected = Stopwatch()
        records.inject(self.world.stack, self._fault, self.scenario.fault.arguments, by=f"drill {self.scenario.id}")
        self.journal.write(Phase.INJECT, f"{name} is in the stack")
        return Outcome.PASSED, ""

    # detect

    def _detect(self) -> tuple[Outcome, str]:
        """An alert of the scenario fires, and the desk has opened an incident for it by itself."""
        seen = "no alert fires yet"

        def look() -> str | None:
            nonlocal seen
            self._watch_alerts(Phase.DETECT)
            if self._alerts.fired:
                seen = "an alert fires, but the desk has no incident yet"
            incident = self._incident.find()
            return incident if self._alerts.fired else None

        deadline = Deadline(self.scenario.budgets.detect * self._factor)
        self.report.incident = deadline.wait_for(
            "the alert and the incident",
            look,
            every=0.5,
            seen=lambda: seen,
            progress=self.journal.waiting(Phase.DETECT),
        )
        self.journal.write(Phase.DETECT, f"the desk opened {self.report.incident}", incident=self.report.incident)
        self.world.desk.acknowledge(self.report.incident)
        return Outcome.PASSED, ""

    def _watch_alerts(self, phase: Phase) -> None:
        for news in self._alerts.look(self._started(), self._repair):
            self.journal.write(phase, news)

    def _started(self) -> Stopwatch:
        if self._injected is None:
            raise LakeproofError("no fault was injected", where="drill")
        return self._injected

    # diagnose

    def _diagnose(self) -> tuple[Outcome, str]:
        """What the live stack shows, without a word about what was done to it."""
        catalog = self.world.catalog
        seen = examined(catalog.causes, catalog.probes, self.world.observe, self.world.absent)
        self._diagnosis = seen.diagnosis
        readings = [observation.second for observation in seen.observations.values()]
        if self.report.incident is not None:
            self.world.desk.attach(
                self.report.incident, "diagnosis", "diagnosis", self._diagnosis.as_json(), readings
            )
        if not self._diagnosis.findings:
            unknown = ", ".join(seen.probe for seen in self._diagnosis.unknown) or "nothing out of range"
            return Outcome.FAILED, f"no cause fits ({unknown})"
        first = self._diagnosis.findings[0]
        self.report.root_cause = first.cause.id
        self.report.evidence = [seen.as_json() for seen in first.evidence_for]
        others = [finding.cause.id for finding in self._diagnosis.findings[1:]]
        self.journal.write(
            Phase.DIAGNOSE,
            f"{first.cause.id}: {first.cause.says['en']}" + (f" Also: {', '.join(others)}." if others else ""),
            diagnosis=self._diagnosis.as_json(),
        )
        return Outcome.PASSED, ""

    # mitigate

    def _mitigate(self) -> tuple[Outcome, str]:
        """The steps of the diagnosed cause, or the fix that was asked for instead."""
        if self.options.fix is not None:
            self._steps = list(self.options.fix)
        elif self._diagnosis.findings:
            self._steps = list(self._diagnosis.findings[0].cause.repairs)
        else:
            return Outcome.FAILED, "without a cause there is nothing to repair"
        if self.report.incident is not None:
            self.world.desk.mitigate(self.report.incident, ", ".join(step.id for step in self._steps))
        self._repair = Stopwatch()
        for step in self._steps:
            done = run_step(self.world.stack, self.world.catalog.mitigations, step, self._tell(Phase.MITIGATE))
            self.report.mitigations.append(done)
            self.journal.write(Phase.MITIGATE, f"{step.id}: {done.text}", outcome=done.outcome.value)
            self._note("action", f"{step.id}: {done.outcome.value}, {done.text}")
            if done.outcome is not Outcome.PASSED:
                return done.outcome, f"{step.id}: {done.text}"
        return Outcome.PASSED, ""

    # recover

    def _recover(self) -> tuple[Outcome, str]:
        """Until every watched claim holds, which includes that it held for the quiet time."""
        budgets = self.scenario.budgets
        context = self._context(budgets.recover + budgets.quiet * self._factor, Phase.RECOVER)
        watched = [each for each in self._checks if each.check.watched]
        seen = "nothing yet"

        def look() -> bool | None:
            nonlocal seen
            self._watch_alerts(Phase.RECOVER)
            judged = verify(watched, context, self._baselines, lambda text: None)
            open_claims = [each for each in judged if each.verdict.outcome is not Outcome.PASSED]
            seen = "; ".join(f"{each.check}: {each.verdict.summary}" for each in open_claims)
            return None if open_claims else True

        context.deadline.wait_for(
            "recovery", look, every=LOOK_SECONDS, seen=lambda: seen, progress=self.journal.waiting(Phase.RECOVER)
        )
        self.report.quiet_seconds = context.quiet_seconds
        return Outcome.PASSED, ""

    # verify

    def _verify(self) -> tuple[Outcome, str]:
        """Shoppers stop once enough orders are acknowledged; then every claim, each with its numbers."""
        await_orders(self.world.traffic, self.scenario.traffic.orders, self.scenario.budgets.verify, self.journal)
        stop_shoppers(self.world.traffic, self.journal)
        context = self._context(self.scenario.budgets.verify, Phase.VERIFY)
        judged = verify(self._checks, context, self._baselines, self._tell(Phase.VERIFY))
        self.report.checks = judged
        self.report.published_after = self._published()
        outcomes = {each.check: each.verdict.outcome.value for each in judged}
        numbers = {each.check: each.verdict.numbers for each in judged}
        self.journal.write(Phase.VERIFY, f"{len(judged)} claims judged", outcomes=outcomes, numbers=numbers)
        if self.report.incident is not None:
            body = {each.check: f"{each.verdict.outcome.value}: {each.verdict.summary}" for each in judged}
            readings = [reading for each in judged for reading in (*counted(each), *each.verdict.readings)]
            self.world.desk.attach(self.report.incident, "verification", "verification", body, readings)
        failing = [
            f"{each.check}: {each.verdict.summary}" for each in judged if each.verdict.outcome is not Outcome.PASSED
        ]
        return worst([each.verdict for each in judged]), "; ".join(failing)

    # review

    def _review(self) -> tuple[Outcome, str]:
        """Take everything of the drill out again, close the incident, draft its RCA, look for what is left."""
        self._clean()
        self.report.residue = residue(self.world, self._inventory, self._alerts, self.report.checks)
        outcome, why = Outcome.PASSED, ""
        if self.report.residue:
            outcome, why = Outcome.FAILED, f"left behind: {'; '.join(self.report.residue)}"
        if self.report.incident is None:
            return worst_of(outcome, Outcome.UNKNOWN), why or "there was no incident to review"
        held = all(each.verdict.outcome is Outcome.PASSED for each in self.report.checks)
        text = (
            "every claim was verified" if held else "the repair was turned down; the drill took its fault out itself"
        )
        self.world.desk.resolve(self.report.incident, text)
        self.report.rca = self.world.desk.rca(self.report.incident, self._cause_in_words())
        return outcome, why

    def _cause_in_words(self) -> str:
        if not self._diagnosis.findings:
            return "not found"
        cause = self._diagnosis.findings[0].cause
        return f"{cause.id}: {cause.says['en']}"

    # the end

    def _clean(self) -> None:
        """Stop shoppers, undo what wrong fixes left, take the fault out. Safe to repeat; never raises on purpose."""
        try:
            stop_shoppers(self.world.traffic, self.journal)
        except LakeproofError as error:
            self.journal.write("end", f"shoppers did not stop: {error.message}")
        steps, self._steps = self._steps, []
        undo_steps(self.world, steps, self.journal)
        take_out(self.world, self._fault, self._alerts, self.scenario.budgets.recover, self.journal)

    def _close_incident(self) -> None:
        """Where no review closed it: say that the drill ended before its time. Never raises on purpose."""
        reviewed = any(record.phase is Phase.REVIEW for record in self.report.phases)
        if self.report.incident is None or reviewed:
            return
        try:
            self.world.desk.resolve(self.report.incident, "the drill ended early, and took its fault out")
        except LakeproofError as error:
            self.journal.write("end", f"{self.report.incident} is still open: {error.message}")

    def _conclude(self) -> None:
        """The verdict: passed only where every phase was observed, and cause and repair were the true ones."""
        report = self.report
        report.alerts = self._alerts.times()
        outcomes = {record.phase: record.outcome for record in report.phases}
        all_outcomes = [outcomes.get(phase, Outcome.UNKNOWN) for phase in Phase]
        wrong = against_truth(report, self.world.catalog.truth(self.scenario))
        report.reasons += wrong
        report.verdict = worst_of(*all_outcomes, *(Outcome.FAILED for _ in wrong))
        self.journal.write("end", f"verdict: {report.verdict.value}", reasons=report.reasons)

    def _published(self) -> tuple[Value, Value]:
        known = self.world.catalog.probes
        found = self.world.look(known[name] for name in PUBLISHED if name in known)
        values = [found[name].value if name in found else None for name in PUBLISHED]
        return values[0], values[1]

    def _note(self, kind: str, text: str) -> None:
        if self.report.incident is not None:
            self.world.desk.note(self.report.incident, kind, text)
