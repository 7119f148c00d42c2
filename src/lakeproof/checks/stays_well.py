"""The part that a scenario restarts, killed once more, comes back by itself, and nothing is alerted afterwards.

This check acts. It waits for minutes, so no scenario names it: `drill --afterwards SECONDS` adds it for the component
of each `survives_restart`. Shoppers buy all the while, since a service that comes back and refuses every call raises
an alert only where somebody calls it. While the part is down an alert may rightly fire, and the alert of a job that
was restarted with it comes a moment later; so the time counts from when all alerts have been quiet for a while.
"""

from dataclasses import dataclass

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.survives_restart import await_evidence
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired
from lakeproof.probes.prometheus import FIRING, alert_states
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import kill_and_await
from lakeproof.stack.stack import Stack

CLAIM = "killed once more, the part comes back, and nothing is alerted afterwards while shoppers buy"
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


class StaysWell(Arguments):
    """component: the part. seconds: how long no alert of any kind may fire, once all alerts are quiet again."""

    component: str
    seconds: float = Field(120.0, gt=0)


def baseline(context: CheckContext, arguments: StaysWell) -> Baseline:
    """Nothing is killed; every drill asks by itself that no alert fires before the fault."""
    return Baseline(Verdict(CLAIM, Outcome.PASSED, "nothing is killed before the fault"))


def verify(context: CheckContext, arguments: StaysWell, before: Baseline) -> Verdict:
    """Kill the part with -9; it must come back, all alerts fall silent and stay so, and all evidence be healthy.

    It does not use the phase's deadline, which the checks before may have used up. Raises: CouldNotLook.
    """
    if context.stack.settings.mode == "external":
        raise CouldNotLook("its processes are not ours to kill", where=arguments.component)
    with context.shopping():
        return _kill_and_watch(context, arguments)


def _kill_and_watch(context: CheckContext, arguments: StaysWell) -> Verdict:
    alerts, client = _Alerts(context.stack), SupervisorClient(context.stack)
    patience = Deadline(client.components[arguments.component].start_seconds + BACK_SECONDS)
    try:
        kill_and_await(client, [arguments.component], patience)
        back_after = patience.elapsed
        alerts.await_quiet()
    except DeadlineExpired as error:
        return Verdict(CLAIM, Outcome.FAILED, error.message)
    numbers = {"seconds": arguments.seconds, "back_after_seconds": round(back_after, 1)}
    watch, unanswered = Deadline(arguments.seconds), 0.0
    # The watch goes on past its end while an alert is pending: it became pending within the time, and may fire yet.
    while not watch.expired or (alerts.pending and watch.elapsed < arguments.seconds + QUIET_SECONDS):
        since = watch.elapsed
        answered = alerts.look()
        if alerts.firing:
            when = f"{watch.elapsed:.0f} s after {arguments.component} was back and all was quiet"
            return Verdict(CLAIM, Outcome.FAILED, f"{', '.join(alerts.firing)} fires {when}", numbers)
        context.progress(f"no alert for {watch.elapsed:.0f} s since {arguments.component} is back and all is quiet")
        Deadline(LOOK_SECONDS).pause(LOOK_SECONDS)
        unanswered = 0.0 if answered else unanswered + watch.elapsed - since
        if unanswered > SILENT_SECONDS:
            return Verdict(CLAIM, Outcome.UNKNOWN, f"Prometheus gave no answer for {unanswered:.0f} s", numbers)
    if alerts.pending or unanswered:
        what = f"{', '.join(alerts.pending)} is still pending" if alerts.pending else "Prometheus gave no answer last"
        return Verdict(CLAIM, Outcome.UNKNOWN, f"{what} {watch.elapsed:.0f} s after all was quiet", numbers)
    evidence = await_evidence(context, EVIDENCE_SECONDS, f"{watch.elapsed:.0f} s after all was quiet again")
    if evidence.outcome is not Outcome.PASSED:
        return Verdict(CLAIM, evidence.outcome, evidence.summary, numbers, readings=evidence.readings)
    summary = f"{arguments.component} was back {back_after:.0f} s after kill -9; no alert for {arguments.seconds:g} s"
    return Verdict(CLAIM, Outcome.PASSED, summary, numbers)


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


CHECK = Check("stays_well", CLAIM, baseline, verify, StaysWell, acts=True)
