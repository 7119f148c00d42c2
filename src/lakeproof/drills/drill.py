"""One run of a scenario (or of several at once) through its phases. The code knows no scenario: scenarios are data.

A drill breaks the stack, then plays the operator: it waits for the alert and for the desk's incident (which it never
opens itself), diagnoses the live stack, runs the repair that the diagnosed cause names, waits for recovery, and
verifies every claim. The truth is read at the end only, to judge the diagnosis. Whatever happens, the fault is taken
out again.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace

from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.diagnosis import Diagnosis, Finding
from lakeproof.diagnosis.examination import examined
from lakeproof.drills.bound_checks import bind, counted, verify
from lakeproof.drills.clean_up import (
    announce_steps,
    attempt,
    await_clear,
    residue,
    start_again,
    take_out,
    undo_steps,
)
from lakeproof.drills.detection import AlertWatch, NewIncident
from lakeproof.drills.journal import Journal, Stopwatch
from lakeproof.drills.left_open import LeftOpen
from lakeproof.drills.phases import Phase, PhaseRunner
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.report import DrillReport
from lakeproof.drills.restarts import on_record_by_step
from lakeproof.drills.run import DrillOptions, Run
from lakeproof.drills.verdict import against_truth, conclude
from lakeproof.drills.world import World
from lakeproof.errors import DeadlineExpired, LakeproofError
from lakeproof.faults import records
from lakeproof.probes.reading import Reading
from lakeproof.processes.mark import marking
from lakeproof.proof.outcome import worst
from lakeproof.repairs.running import StepDone, mend

LOOK_SECONDS = 1.0
# After a repair, symptoms of the repaired cause may show for this many times the plan's quiet time: some vanish only
# with the slower publisher's next commit.
QUIET_TIMES_TO_SETTLE = 2


class Drill:
    """One run. `run()` gives the report; `report` is filled as the drill goes, also for an interrupted one."""

    def __init__(self, world: World, plan: DrillPlan, options: DrillOptions, progress: Callable[[str], None]) -> None:
        self.world, self.plan, self.options = world, plan, options
        fix = tuple(step.id for step in options.fix or ())
        self.report = DrillReport(
            plan.id, options.seed, world.timing, afterwards=options.afterwards, blind=options.blind, fix=fix
        )
        self.journal = Journal(options.folder, progress)
        checks = bind(plan, world.catalog, options.afterwards)
        self._run = Run(world, plan, options, self.report, self.journal, checks, plan.touches)
        self._phase = PhaseRunner(self.report.phases, self.report.reasons, self.journal, blind=options.blind).run
        self._diagnosis = Diagnosis((), ())
        self._believed: list[Finding] = []
        self._readings: list[Reading] = []
        self._injected: Stopwatch | None = None
        self._repair: Stopwatch | None = None
        self._alerts = AlertWatch(plan.alerts, world.firing)
        self._incident = NewIncident(world.desk, plan.alerts)
        self._steps: list[Step] = []
        self._made: list[str] = []

    def run(self) -> DrillReport:
        """Go through all phases.

        Raises, once the fault is out: KeyboardInterrupt; TerminalError where the report cannot be written.
        """
        with marking(self.options.run), ExitStack() as end:
            # The callbacks run in reverse order, and each runs even where one before it raised.
            end.callback(self.report.write, self.options.folder)
            end.callback(self._conclude)
            end.callback(self._close_incident)
            end.callback(self._clean)
            try:
                self._phases()
            except KeyboardInterrupt:
                self.report.reasons.append("interrupted")
                self.journal.write("end", "interrupted: taking the fault out")
                raise
        return self.report

    def _phases(self) -> None:
        if self._phase(Phase.BASELINE, self._run.prepare) is not Outcome.PASSED:
            return
        if self._phase(Phase.INJECT, self._inject) is not Outcome.PASSED:
            return
        self._phase(Phase.DETECT, self._detect)
        self._phase(Phase.DIAGNOSE, self._diagnose)
        self._phase(Phase.MITIGATE, self._mitigate)
        self._phase(Phase.RECOVER, self._recover)
        self._phase(Phase.VERIFY, self._verify)
        self._phase(Phase.REVIEW, self._review)

    # inject

    @property
    def _faults(self) -> list[Step]:
        """The faults in the order of injection (Fault.through_capture first); removed in the opposite order."""
        return sorted(self.plan.faults, key=lambda step: not self.world.catalog.faults[step.id].through_capture)

    def _inject(self) -> tuple[Outcome, str]:
        self._incident.remember()
        self._injected = Stopwatch()
        for number, step in enumerate(self._faults, start=1):
            fault = self.world.catalog.faults[step.id]
            record = records.inject(self.world.stack, fault, step.arguments, by=self._run.by)
            self._made.append(f"{fault.id}: {record.seen}")
            self.journal.write(Phase.INJECT, self._run.told(self._made[-1], f"fault {number} is in the stack"))
        return Outcome.PASSED, ""

    # detect

    def _detect(self) -> tuple[Outcome, str]:
        """Wait until an alert of the scenario fires and the desk has opened an incident for it by itself."""
        seen = "no alert fires yet"

        def look() -> str | None:
            nonlocal seen
            self._watch_alerts(Phase.DETECT)
            if self._alerts.fired:
                seen = "an alert fires, but the desk has no incident yet"
            incident = self._incident.find()
            return incident if self._alerts.fired else None

        deadline = Deadline(self.plan.budgets.detect * self._run.factor)
        self.report.incident = deadline.wait_for(
            "the alert and the incident",
            look,
            every=0.5,
            seen=lambda: seen,
            progress=self.journal.waiting(Phase.DETECT),
        )
        self.journal.write(Phase.DETECT, f"the desk opened {self.report.incident}", incident=self.report.incident)
        self.world.desk.acknowledge(self.report.incident)
        self._await_others(deadline)
        return Outcome.PASSED, ""

    def _await_others(self, deadline: Deadline) -> None:
        """With several scenarios, wait until an alert of each fires: a slow cause may show nothing before. An alert
        that another fault hides never fires, so once the time is over, the drill diagnoses what it sees.
        """

        def silent() -> list[str]:
            self._watch_alerts(Phase.DETECT)
            return [part.name for part in self.plan.parts if not set(part.alerts) & set(self._alerts.fired)]

        with suppress(DeadlineExpired):
            deadline.wait_for(
                "an alert of each",
                lambda: None if silent() else True,
                every=0.5,
                seen=lambda: f"no alert yet of {', '.join(silent())}",
                progress=self.journal.waiting(Phase.DETECT),
            )

    def _watch_alerts(self, phase: Phase) -> None:
        for news in self._alerts.look(self._started(), self._repair):
            self.journal.write(phase, news)

    def _started(self) -> Stopwatch:
        if self._injected is None:
            raise LakeproofError("no fault was injected", where="drill")
        return self._injected

    # diagnose

    def _diagnose(self) -> tuple[Outcome, str]:
        """Diagnose the live stack, without telling the diagnosis which fault was injected.

        With one fault in the stack, the drill believes the best supported cause; with several, every named cause.
        """
        self._diagnosis = found = self._look()
        self._attach(found)
        if not found.findings:
            unknown = ", ".join(seen.reading.probe for seen in found.unknown) or "nothing out of range"
            return Outcome.FAILED, f"no cause fits ({unknown})"
        self._believe(found, found.findings[: None if len(self.plan.parts) > 1 else 1], found.findings)
        return Outcome.PASSED, ""

    def _look(self) -> Diagnosis:
        """Diagnose the live stack."""
        catalog = self.world.catalog
        seen = examined(catalog.causes, catalog.probes, self.world.observe, self.world.parts)
        self._readings = [observation.second for observation in seen.observations.values()]
        return seen.diagnosis

    def _attach(self, found: Diagnosis) -> None:
        """Attach the newest diagnosis and its readings to the incident."""
        if self.report.incident is not None:
            self.world.desk.attach(self.report.incident, "diagnosis", "diagnosis", found.as_json(), self._readings)

    def _believe(self, found: Diagnosis, believed: Sequence[Finding], named: Sequence[Finding]) -> None:
        """Report the findings. believed: the drill repairs these. named: these are judged against the truth."""
        self._believed += believed
        self.report.root_cause = "+".join(finding.cause.id for finding in self._believed)
        self.report.named_causes += [finding.cause.id for finding in named]
        self.report.evidence += [seen.as_json() for finding in believed for seen in finding.evidence_for]
        others = [finding.cause.id for finding in named if finding not in believed]
        self.journal.write(
            Phase.DIAGNOSE,
            _in_words(believed) + (f" Also: {', '.join(others)}." if others else ""),
            diagnosis=found.as_json(),
        )

    # mitigate

    def _mitigate(self) -> tuple[Outcome, str]:
        """Run the steps of the diagnosed cause, or the fix that was asked for instead."""
        if self.options.fix is not None:
            return self._mend([self.options.fix])
        if not self._believed:
            return Outcome.FAILED, "without a cause there is nothing to repair"
        outcome, why = self._mend([finding.cause.repairs for finding in self._believed])
        left = LeftOpen.by(self._diagnosis, self._believed)
        if outcome is Outcome.PASSED and len(self.plan.parts) > 1 and left:
            return self._mend_rest(left)
        return outcome, why

    def _mend_rest(self, left: LeftOpen) -> tuple[Outcome, str]:
        """Look again at what the diagnosis left open. Symptoms of the repaired causes vanish by themselves during the
        wait. What remains, and now has a cause that no other cause hides, is named and repaired as well.
        """
        found = Diagnosis((), ())

        def look() -> bool | None:
            nonlocal found
            found = Diagnosis((), ())  # if this look raises, no older diagnosis may be taken for its result
            self._watch_alerts(Phase.MITIGATE)
            found = self._look()
            return None if left.still(found) else True

        def seen() -> str:
            still = left.still(found)
            return self._run.told(f"still there: {', '.join(still)}", f"{len(still)} things are still there")

        seconds = QUIET_TIMES_TO_SETTLE * self.plan.budgets.quiet * self._run.factor
        try:
            Deadline(seconds).wait_for(
                "what was left open to be gone",
                look,
                every=LOOK_SECONDS,
                seen=seen,
                progress=self.journal.waiting(Phase.MITIGATE),
            )
        except DeadlineExpired:
            self.journal.write(Phase.MITIGATE, seen())
        still = left.causes(found)
        if not still:
            return Outcome.PASSED, ""
        # Readers of the incident get one diagnosis: the repaired causes with their evidence, and the new causes.
        whole = replace(found, findings=(*self._believed, *still))
        self._attach(whole)
        self._believe(whole, still, still)
        return self._mend([finding.cause.repairs for finding in still])

    def _mend(self, repairs: Sequence[Sequence[Step]]) -> tuple[Outcome, str]:
        steps = [step for each in repairs for step in each]
        if not steps:
            return Outcome.FAILED, f"no repair is known for {self.report.root_cause}: a person has to look"
        self._steps += steps
        if self.report.incident is not None:
            self.world.desk.mitigate(self.report.incident, ", ".join(step.id for step in steps))
        announce_steps(self.world, steps, self._run.by)
        self._repair = self._repair or Stopwatch()
        tell = self._run.tell(Phase.MITIGATE)
        return mend(
            self.world.stack,
            on_record_by_step(self.world.catalog.steps, by=self._run.by),
            repairs,
            tell,
            tell,
            self._done,
        )

    def _done(self, done: StepDone) -> None:
        self.report.mitigations.append(done)
        self.journal.write(Phase.MITIGATE, f"{done.action}: {done.text}", outcome=done.outcome.value)
        if self.report.incident is not None:
            self.world.desk.note(
                self.report.incident, "action", f"{done.in_words}: {done.outcome.value}, {done.text}"
            )

    # recover

    def _recover(self) -> tuple[Outcome, str]:
        """Wait until every watched claim holds and has held for the quiet time."""
        budgets = self.plan.budgets
        patience = self.options.recover_seconds or budgets.recover
        context = self._run.context(patience + budgets.quiet * self._run.factor, Phase.RECOVER)
        watched = [each for each in self._run.checks if each.check.watched]
        seen = "nothing yet"

        def look() -> bool | None:
            nonlocal seen
            self._watch_alerts(Phase.RECOVER)
            judged = verify(watched, context, self._run.baselines, lambda text: None)
            open_claims = [each for each in judged if each.verdict.outcome is not Outcome.PASSED]
            seen = self._run.told(
                "; ".join(f"{each.check}: {each.verdict.summary}" for each in open_claims),
                f"{len(open_claims)} claims do not hold yet",
            )
            return None if open_claims else True

        context.deadline.wait_for(
            "recovery", look, every=LOOK_SECONDS, seen=lambda: seen, progress=self.journal.waiting(Phase.RECOVER)
        )
        self.report.quiet_seconds = context.quiet_seconds
        return Outcome.PASSED, ""

    # verify

    def _verify(self) -> tuple[Outcome, str]:
        """Judge every claim, and attach the verdicts and their numbers to the incident."""
        judged_as = self._run.judge()
        if self.report.incident is not None:
            judged = self.report.checks
            body = {each.check: f"{each.verdict.outcome.value}: {each.verdict.summary}" for each in judged}
            readings = [reading for each in judged for reading in (*counted(each), *each.verdict.readings)]
            self.world.desk.attach(self.report.incident, "verification", "verification", body, readings)
        return judged_as

    # review

    def _review(self) -> tuple[Outcome, str]:
        """Name what a blind drill played, clean up, look for what is left, close the incident, draft its RCA."""
        if self.options.blind:
            claims = {each.check: each.verdict.outcome.value for each in self.report.checks}
            self.journal.write(Phase.REVIEW, f"this was {self.plan.id}. {'; '.join(self._made)}", outcomes=claims)
        self._clean()
        self.report.residue = residue(self.world, self._run.inventory, self._run.counted_again(self.report.checks))
        outcome, why = Outcome.PASSED, ""
        if self.report.residue:
            outcome, why = Outcome.FAILED, f"left behind: {'; '.join(self.report.residue)}"
        if self.report.incident is None:
            return worst((outcome, Outcome.UNKNOWN)), why or "there was no incident to review"
        held = all(each.verdict.outcome is Outcome.PASSED for each in self.report.checks)
        text = (
            "every claim was verified" if held else "the repair was turned down; the drill took its fault out itself"
        )
        for incident in self._incident.find_all():
            self.world.desk.resolve(incident, text)
        self.report.rca = self.world.desk.rca(self.report.incident, _in_words(self._believed))
        return outcome, why

    # the end

    def _clean(self) -> None:
        """Undo wrong fixes, take the fault out, start stopped components, stop the shoppers.

        Safe to repeat; never raises on purpose. The fault comes out before the shoppers stop: they wait for their
        answers, and with the fault in the stack some answers would never come.
        """
        steps, self._steps = self._steps, []
        undo_steps(self.world, steps, self.journal)
        was_in = take_out(self.world, self._faults, self.journal)
        start_again(self.world, self.journal, by=self._run.by)
        attempt("shoppers did not stop", self._run.stop_shoppers, self.journal)
        if was_in:
            seconds = self.plan.budgets.recover
            attempt("not seen to be calm", lambda: await_clear(self._alerts, seconds), self.journal)

    def _close_incident(self) -> None:
        """Where the drill ended before its review, resolve the incident here. Never raises on purpose."""
        reviewed = any(record.phase is Phase.REVIEW for record in self.report.phases)
        if self.report.incident is None or reviewed:
            return
        attempt(f"{self.report.incident} is still open", self._resolve_early, self.journal)

    def _resolve_early(self) -> None:
        for incident in self._incident.find_all():
            self.world.desk.resolve(incident, "the drill ended early, and took its fault out")

    def _conclude(self) -> None:
        """Set the verdict: passed only where every phase passed, and cause and repair agree with the truth."""
        report = self.report
        report.alerts = self._alerts.times()
        outcomes = {record.phase: record.outcome for record in report.phases}
        all_outcomes = [outcomes.get(phase, Outcome.UNKNOWN) for phase in Phase]
        truths = [self.world.catalog.truth(part) for part in self.plan.parts]
        wrong = against_truth(report, truths)
        report.reasons += wrong
        conclude(report, self.journal, *all_outcomes, *(Outcome.FAILED for _ in wrong))


def _in_words(findings: Iterable[Finding]) -> str:
    """The causes of the findings, one sentence each."""
    return " ".join(f"{finding.cause.id}: {finding.cause.says['en']}" for finding in findings) or "not found"
