"""The drill in which nothing is broken: no alert may fire, no incident may be opened, no cause may be named.

A system that finds causes in a healthy stack is worth as little as one that finds none in a broken one.
"""

from collections.abc import Callable
from contextlib import ExitStack

from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.diagnosis.examination import examined
from lakeproof.drills.bound_checks import bind
from lakeproof.drills.clean_up import attempt, residue
from lakeproof.drills.detection import AlertWatch, NewIncident
from lakeproof.drills.journal import Journal, Stopwatch
from lakeproof.drills.phases import Phase, PhaseRunner
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.report import DrillReport
from lakeproof.drills.run import DrillOptions, Run
from lakeproof.drills.verdict import conclude
from lakeproof.drills.world import World
from lakeproof.processes.mark import marking

HEALTHY = "healthy"
LOOK_SECONDS = 1.0
DIAGNOSE_SECONDS = 15.0
# Without a fault the other phases have nothing to do.
PHASES = (Phase.BASELINE, Phase.DETECT, Phase.VERIFY, Phase.REVIEW)


class HealthyDrill:
    """One run. `plan`: all scenarios, whose alerts must stay quiet and whose claims must hold."""

    def __init__(
        self, world: World, plan: DrillPlan, options: DrillOptions, seconds: float, progress: Callable[[str], None]
    ) -> None:
        self.report = DrillReport(HEALTHY, options.seed, world.timing)
        self.journal = Journal(options.folder, progress)
        self._world, self._options, self._seconds = world, options, seconds
        # A check that acts restarts something; then the drill itself would disturb the stack.
        checks = tuple(each for each in bind(plan, world.catalog) if not each.check.acts)
        self._run = Run(world, plan, options, self.report, self.journal, checks, (), breaks=False)
        # Those too by which only another cause of a scenario is told.
        owned = dict.fromkeys(alert for part in plan.parts for alert in part.owned_alerts)
        self._alerts = AlertWatch(owned, world.firing)
        # Any alert, also one that no scenario owns.
        self._incident = NewIncident(world.desk)

    def run(self) -> DrillReport:
        """Go through all phases.

        Raises, once shoppers are stopped: KeyboardInterrupt; TerminalError where the report cannot be written.
        """
        runner = PhaseRunner(self.report.phases, self.report.reasons, self.journal)
        with marking(self._options.run), ExitStack() as end:
            # They run in reverse order, and each of them even where an earlier one raised.
            end.callback(self.report.write, self._options.folder)
            end.callback(self._conclude)
            end.callback(self._stop)
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
        """Look at alerts and incidents each second, diagnose again and again; end with the first finding."""
        self._incident.remember()
        watch, looks = Stopwatch(), 0
        next_diagnosis = 0.0
        deadline = Deadline(self._seconds)
        # One more look after the end: trouble that began before it may show a moment later.
        while True:
            last = deadline.expired
            found = self._seen(watch)
            if not found and (last or watch.seconds >= next_diagnosis):
                found, looks = self._diagnosed(), looks + 1
                next_diagnosis = watch.seconds + DIAGNOSE_SECONDS
            if found:
                return Outcome.FAILED, f"after {watch.seconds:.0f} s: {found}"
            if last:
                break
            deadline.pause(LOOK_SECONDS)
        self.report.quiet_seconds = watch.seconds
        self.journal.write(Phase.DETECT, f"nothing in {watch.seconds:.0f} s; {looks} diagnoses found nothing")
        return Outcome.PASSED, ""

    def _seen(self, watch: Stopwatch) -> str:
        """An alert that fires, or an incident; "" where there is none. Raises: CouldNotLook."""
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
