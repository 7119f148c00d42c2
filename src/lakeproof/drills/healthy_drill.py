"""The drill in which nothing is broken: no alert may fire, no incident may be opened, no cause may be named.

A system that finds causes in a healthy stack is worth as little as one that finds none in a broken stack. So is one
that alerts below its thresholds: the drill can therefore inject near misses, faults too weak for their incident.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.cause import Step
from lakeproof.diagnosis.examination import examined
from lakeproof.drills.bound_checks import bind
from lakeproof.drills.clean_up import attempt, residue, take_out
from lakeproof.drills.detection import AlertWatch, NewIncident
from lakeproof.drills.journal import Journal, Stopwatch
from lakeproof.drills.phases import Phase, PhaseRunner
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.report import DrillReport
from lakeproof.drills.run import DrillOptions, Run
from lakeproof.drills.verdict import conclude
from lakeproof.drills.world import World
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.faults import records
from lakeproof.processes.mark import marking

HEALTHY = "healthy"
LOOK_SECONDS = 1.0
DIAGNOSE_SECONDS = 15.0
# The phases of a healthy drill; without a fault the others have nothing to do.
PHASES = (Phase.BASELINE, Phase.DETECT, Phase.VERIFY, Phase.REVIEW)


def least_minutes(plan: DrillPlan, near_misses: Sequence[Step], factor: int) -> float:
    """Minutes to watch, so that each near miss stays in for as long as any drill may take to detect its fault.

    factor: how many times longer the alert windows are than a drill's.
    """
    return plan.budgets.detect * factor * (1 + len(near_misses)) / 60


class HealthyDrill:
    """One run.

    plan: all scenarios; their alerts must stay quiet and their claims must hold.
    near_misses: `seconds` is shared equally between each near miss and the stack without any.
    """

    def __init__(
        self,
        world: World,
        plan: DrillPlan,
        options: DrillOptions,
        seconds: float,
        progress: Callable[[str], None],
        near_misses: Sequence[Step] = (),
    ) -> None:
        self.report = DrillReport(HEALTHY, options.seed, world.timing)
        self.journal = Journal(options.folder, progress)
        self._world, self._options, self._seconds = world, options, seconds
        self._near_misses, self._looks = near_misses, 0
        # A check that acts restarts something: with it, the drill itself would disturb the stack.
        checks = tuple(each for each in bind(plan, world.catalog) if not each.check.acts)
        self._run = Run(world, plan, options, self.report, self.journal, checks, (), breaks=False)
        # `owned_alerts` includes alerts that fire only for another cause of a scenario.
        owned = dict.fromkeys(alert for part in plan.parts for alert in part.owned_alerts)
        self._alerts = AlertWatch(owned, world.firing)
        # No list of alerts: an incident of any alert counts, even of an alert that no scenario owns.
        self._incident = NewIncident(world.desk)

    def run(self) -> DrillReport:
        """Go through all phases.

        Raises, once shoppers are stopped: KeyboardInterrupt; TerminalError where the report cannot be written.
        """
        runner = PhaseRunner(self.report.phases, self.report.reasons, self.journal)
        with marking(self._options.run), ExitStack() as end:
            # The callbacks run in reverse order, and each runs even where one before it raised.
            end.callback(self.report.write, self._options.folder)
            end.callback(self._conclude)
            end.callback(self._stop)
            end.callback(lambda: take_out(self._world, self._near_misses, self.journal))
            try:
                if runner.run(Phase.BASELINE, self._run.prepare) is Outcome.PASSED:
                    runner.run(Phase.DETECT, self._watch)
                    runner.run(Phase.VERIFY, self._run.judge)
                    runner.run(Phase.REVIEW, self._review)
            except KeyboardInterrupt:
                self.report.reasons.append("interrupted")
                raise
        return self.report

    def _watch(self) -> tuple[Outcome, str]:
        """Watch the stack as it is, then with each near miss; the first alert, incident or cause fails the phase."""
        self._incident.remember()
        watch = Stopwatch()
        found = self._look_on(watch)
        for step in self._near_misses:
            found = found or self._near_miss(step, watch)
        if found:
            return Outcome.FAILED, f"after {watch.seconds:.0f} s: {found}"
        self.report.quiet_seconds = watch.seconds
        played = f"; near misses: {len(self.report.near_misses)}" if self._near_misses else ""
        told = f"nothing in {watch.seconds:.0f} s; {self._looks} diagnoses found nothing{played}"
        self.journal.write(Phase.DETECT, told)
        unseen = self._alerts.unseen
        return Outcome.PASSED, f"{len(unseen)} looks at an alert failed, the last: {unseen[-1]}" if unseen else ""

    def _near_miss(self, step: Step, watch: Stopwatch) -> str:
        """Inject the near miss, watch, and remove it; gives what was found, "" for nothing."""
        told = " ".join((step.id, *(f"{name}={value}" for name, value in step.args)))
        stack, fault = self._world.stack, self._world.catalog.faults[step.id]
        try:
            record = records.inject(stack, fault, step.arguments, by=f"drill {HEALTHY}")
        except LakeproofError as error:
            raise CouldNotLook(f"near miss {told} could not be put in: {error.message}") from error
        self.report.near_misses.append(told)
        self.journal.write(Phase.DETECT, f"near miss {told}: {record.seen}")
        try:
            found = self._look_on(watch)
        finally:
            take_out(self._world, [step], self.journal)
        if records.recorded(stack):
            raise CouldNotLook(f"near miss {told} could not be taken out", next_action="lakeproof fault list")
        return found and f"near miss {told}: {found}"

    def _look_on(self, watch: Stopwatch) -> str:
        """Watch for one share of the time: alerts and incidents each second, a diagnosis each DIAGNOSE_SECONDS.

        Gives the first finding in words, "" where there was none.
        """
        next_diagnosis = watch.seconds
        deadline = Deadline(self._seconds / (1 + len(self._near_misses)))
        # One more look after the deadline: trouble that began before the deadline may show a moment later.
        while True:
            last = deadline.expired
            found = self._seen(watch)
            if not found and (last or watch.seconds >= next_diagnosis):
                found = self._diagnosed()
                self._looks += 1
                next_diagnosis = watch.seconds + DIAGNOSE_SECONDS
                told = found or f"nothing in {watch.seconds:.0f} s; {self._looks} diagnoses found nothing"
                self.journal.tell(Phase.DETECT, told)
            if found or last:
                return found
            deadline.pause(LOOK_SECONDS)

    def _seen(self, watch: Stopwatch) -> str:
        """New alerts and the opened incident in words, "" for none. Raises: CouldNotLook."""
        news = self._alerts.look(watch, None)
        incident = self._incident.find()
        if incident is not None:
            self.report.incident = incident
            news.append(f"the desk opened {incident}")
        return "; ".join(news)

    def _diagnosed(self) -> str:
        catalog = self._world.catalog
        found = examined(catalog.causes, catalog.probes, self._world.observe, self._world.parts).diagnosis
        if found.healthy:
            return ""
        self.journal.write(Phase.DETECT, "a diagnosis found something", diagnosis=found.as_json())
        self.report.root_cause = "+".join(finding.cause.id for finding in found.findings) or None
        self.report.evidence = [seen.as_json() for finding in found.findings for seen in finding.evidence_for]
        unknown = [f"{seen.reading.probe} is {seen.reading.error or seen.reading.value}" for seen in found.unknown]
        return "diagnosed " + ", ".join([*(finding.cause.id for finding in found.findings), *unknown])

    def _review(self) -> tuple[Outcome, str]:
        self._stop()  # shoppers who still buy are no residue
        self.report.residue = residue(self._world, self._run.inventory, self.report.checks)
        if self.report.residue:
            return Outcome.FAILED, f"left behind: {'; '.join(self.report.residue)}"
        return Outcome.PASSED, ""

    def _stop(self) -> None:
        attempt("shoppers did not stop", self._run.stop_shoppers, self.journal)

    def _conclude(self) -> None:
        self.report.alerts = self._alerts.times()
        outcomes = {record.phase: record.outcome for record in self.report.phases}
        conclude(self.report, self.journal, *(outcomes.get(phase, Outcome.UNKNOWN) for phase in PHASES))
