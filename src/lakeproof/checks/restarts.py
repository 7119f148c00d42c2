"""Checks that restart the repaired part."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, LakeproofError
from lakeproof.lake.capture.commands import await_begun_anew, restart
from lakeproof.probes.looking import look_once
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.probes.prometheus import FIRING, alert_states
from lakeproof.probes.reading import Reading
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.stack.stack import Stack

# The part must be back within this time, beyond the start time that the supervisor itself grants it.
BACK_SECONDS = 60.0

# All alerts must be quiet for this long before the watch begins. It is longer than alerts are held back after a start
# in a drill's windows, so that an alert that comes late still comes before the watch.
QUIET_SECONDS = 35.0

CALM_SECONDS = 180.0

LOOK_SECONDS = 1.0

EVIDENCE_SECONDS = 60.0

# A busy Prometheus may be late once. After a silence longer than this, an alert may have fired unseen.
SILENT_SECONDS = 10.0


class StaysWell(Check):
    """Killed once more, the part comes back, and nothing is alerted afterwards while shoppers buy.

    The part that a scenario restarts, killed once more, comes back by itself, and nothing is alerted afterwards.

    This check acts. It waits for minutes, so no scenario names it: `drill --afterwards SECONDS` adds it for the
    component of each `survives_restart`. Shoppers buy all the while, since a service that comes back and refuses
    every call raises an alert only where somebody calls it. While the part is down an alert may rightly fire, and
    the alert of a job that was restarted with it comes a moment later; so the time counts from when all alerts have
    been quiet for a while.

    component: the part. seconds: how long no alert of any kind may fire, once all alerts are quiet again.
    """

    acts = True

    component: str
    seconds: float = Field(120.0, gt=0)

    def baseline(self, context: CheckContext) -> Baseline:
        """Nothing is killed; every drill asks by itself that no alert fires before the fault."""
        return Baseline(Verdict(self.summary, Outcome.PASSED, "nothing is killed before the fault"))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """Kill the part with -9; it must come back, all alerts fall silent and stay so, and all evidence be healthy.

        It does not use the phase's deadline, which the checks before may have used up. Raises: CouldNotLook.
        """
        if context.stack.settings.mode == "external":
            raise CouldNotLook("its processes are not ours to kill", where=self.component)
        with context.shopping():
            return self._kill_and_watch(context)

    def _kill_and_watch(self, context: CheckContext) -> Verdict:
        alerts, client = _Alerts(context.stack), SupervisorClient(context.stack)
        patience = Deadline(client.components[self.component].start_seconds + BACK_SECONDS)
        try:
            kill_and_await(client, [self.component], patience)
            back_after = patience.elapsed
            alerts.await_quiet()
        except DeadlineExpired as error:
            return Verdict(self.summary, Outcome.FAILED, error.message)
        numbers = {"seconds": self.seconds, "back_after_seconds": round(back_after, 1)}
        watch, unanswered = Deadline(self.seconds), 0.0
        # The watch goes on past its end while an alert is pending: it became pending within the time, and may fire
        # yet.
        while not watch.expired or (alerts.pending and watch.elapsed < self.seconds + QUIET_SECONDS):
            since = watch.elapsed
            answered = alerts.look()
            if alerts.firing:
                when = f"{watch.elapsed:.0f} s after {self.component} was back and all was quiet"
                return Verdict(self.summary, Outcome.FAILED, f"{', '.join(alerts.firing)} fires {when}", numbers)
            context.progress(f"no alert for {watch.elapsed:.0f} s since {self.component} is back and all is quiet")
            Deadline(LOOK_SECONDS).pause(LOOK_SECONDS)
            unanswered = 0.0 if answered else unanswered + watch.elapsed - since
            if unanswered > SILENT_SECONDS:
                return Verdict(
                    self.summary, Outcome.UNKNOWN, f"Prometheus gave no answer for {unanswered:.0f} s", numbers
                )
        if alerts.pending or unanswered:
            what = (
                f"{', '.join(alerts.pending)} is still pending"
                if alerts.pending
                else "Prometheus gave no answer last"
            )
            return Verdict(
                self.summary, Outcome.UNKNOWN, f"{what} {watch.elapsed:.0f} s after all was quiet", numbers
            )
        evidence = await_evidence(context, EVIDENCE_SECONDS, f"{watch.elapsed:.0f} s after all was quiet again")
        if evidence.outcome is not Outcome.PASSED:
            return Verdict(self.summary, evidence.outcome, evidence.summary, numbers, readings=evidence.readings)
        summary = f"{self.component} was back {back_after:.0f} s after kill -9; no alert for {self.seconds:g} s"
        return Verdict(self.summary, Outcome.PASSED, summary, numbers)


@dataclass
class _Alerts:
    """Which alerts fired, and which were pending, when Prometheus answered last."""

    stack: Stack
    firing: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    def look(self) -> bool:
        """Ask Prometheus. False where it gave no answer; then the alerts of the last answer still count."""
        try:
            states = alert_states(self.stack)
        except CouldNotLook:
            return False
        self.firing = tuple(name for name, state in states.items() if state == FIRING)
        self.pending = tuple(name for name in states if name not in self.firing)
        return True

    def await_quiet(self) -> None:
        """Wait until no alert has fired or been pending for QUIET_SECONDS. Raises: DeadlineExpired."""
        quiet = Deadline(QUIET_SECONDS)

        def look() -> bool | None:
            nonlocal quiet
            if not self.look() or self.firing or self.pending:
                quiet = Deadline(QUIET_SECONDS)
            return True if quiet.expired else None

        Deadline(CALM_SECONDS).wait_for(
            f"all alerts to be quiet for {QUIET_SECONDS:g} s after the kill",
            look,
            every=LOOK_SECONDS,
            seen=lambda: f"{', '.join((*self.firing, *self.pending)) or 'no alert, for less long'}",
        )


class SurvivesRestart(Check):
    """The repaired part survives a restart.

    component: the repaired part. seconds: time after the restart within which all evidence must be healthy again.

    connector: is restarted instead of the component where the stack is external, and its processes are not ours.
    Without a connector the verdict there is unknown.
    """

    acts = True

    component: str
    connector: str = ""
    seconds: float = Field(60.0, gt=0)

    def baseline(self, context: CheckContext) -> Baseline:
        """The scenario's evidence is healthy before the fault; nothing is restarted."""
        return Baseline(judge(look(context), "before the fault"))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """Restart the component; all evidence must become healthy again in time."""
        try:
            what = _restart(context, self)
        except CouldNotLook as error:
            return Verdict(self.summary, Outcome.UNKNOWN, error.message)
        except LakeproofError as error:
            return Verdict(self.summary, Outcome.FAILED, f"{self.component} does not start again: {error.message}")
        # This wait does not use the phase's deadline. On a slow machine the checks before may have used it up, and a
        # part for which nobody waited would be reported as one that did not come back.
        return await_evidence(context, self.seconds, f"after {what} was restarted")

    def stops(self) -> list[str]:
        """The repaired part."""
        return [self.component]


def await_evidence(context: CheckContext, seconds: float, when: str) -> Verdict:
    """Wait until all of the scenario's evidence is healthy, for at most `seconds`; gives the last look's verdict."""
    verdict = Verdict(SurvivesRestart.summary, Outcome.UNKNOWN, f"not looked at {when}")

    def healthy() -> bool | None:
        nonlocal verdict
        verdict = judge(look(context), when)
        return True if verdict.outcome is Outcome.PASSED else None

    with contextlib.suppress(DeadlineExpired):
        Deadline(seconds).wait_for(
            "the evidence to be healthy again",
            healthy,
            every=1.0,
            progress=lambda _, took: context.progress(f"waiting for the evidence to be healthy {when}, {took:.0f} s"),
        )
    return verdict


def _restart(context: CheckContext, arguments: SurvivesRestart) -> str:
    """Restart the part, and wait until it is up; gives its name.

    Raises: CouldNotLook where the process is not ours, or nothing shows a restart; LakeproofError.
    """
    if context.stack.settings.mode == "external":
        if not arguments.connector:
            raise CouldNotLook("its processes are not ours to restart", where=arguments.component)
        restart(context.stack, arguments.connector, only_failed=False)
        await_begun_anew(context.stack, arguments.connector, arguments.seconds)
        return f"connector {arguments.connector}"
    SupervisorClient(context.stack).restart(arguments.component)
    return arguments.component


def look(context: CheckContext) -> dict[str, tuple[Reading, bool | None]]:
    """The scenario's evidence now: the reading of each probe, and whether it is healthy (None: no answer)."""
    known = all_probes(context.scenario_dirs)
    asked = [known[name] for name in context.evidence]
    found = look_once(context.stack, asked)
    return {probe.id: (found[probe.id], fine(probe, found[probe.id])) for probe in asked}


def fine(probe: Probe, reading: Reading) -> bool | None:
    """Whether the reading is healthy; None without an answer. A probe without a healthy range only has to answer."""
    if probe.healthy is None:
        return True if reading.answered else None
    return probe.healthy.holds(reading, reading)


def judge(seen: Mapping[str, tuple[Reading, bool | None]], when: str) -> Verdict:
    """Failed where evidence is out of range; unknown where some has no answer; passed where all is healthy."""
    wrong = tuple(reading for reading, fine in seen.values() if fine is False)
    unseen = tuple(reading for reading, fine in seen.values() if fine is None)
    if wrong:
        words = ", ".join(f"{reading.probe} is {reading.value}" for reading in wrong)
        return Verdict(SurvivesRestart.summary, Outcome.FAILED, f"{when}: {words}", readings=(*wrong, *unseen))
    if unseen or not seen:
        words = ", ".join(f"{reading.probe} has no answer ({reading.error})" for reading in unseen)
        return Verdict(
            SurvivesRestart.summary, Outcome.UNKNOWN, f"{when}: {words or 'no evidence to look at'}", readings=unseen
        )
    return Verdict(SurvivesRestart.summary, Outcome.PASSED, f"all evidence is healthy {when}")
