"""The repaired part, killed once more, comes back by itself, and nothing is alerted afterwards. This check acts.

A scenario does not name it: `drill --afterwards SECONDS` adds it, since it waits for minutes. While the part is down
an alert may rightly fire; the time counts from where the part is back and all alerts are quiet.
"""

from contextlib import suppress

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.survives_restart import judge, look
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired
from lakeproof.probes.prometheus import all_firing
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.states import Health

CLAIM = "killed once more, the repaired part comes back, and nothing is alerted afterwards"
BACK_SECONDS = 120.0
CALM_SECONDS = 90.0
LOOK_SECONDS = 1.0
# So many of the looks must have been answered: a busy Prometheus is late once, and a silent one shows no alert.
ENOUGH = 0.8


class StaysWell(Arguments):
    """component: the repaired part. seconds: no alert of any kind fires for so long after it is back."""

    component: str
    seconds: float = Field(120.0, gt=0)


def baseline(context: CheckContext, arguments: StaysWell) -> Baseline:
    """No alert fires before the fault; nothing is killed."""
    alerts = all_firing(context.stack)
    if alerts:
        return Baseline(Verdict(CLAIM, Outcome.FAILED, f"before the fault: {', '.join(alerts)}"))
    return Baseline(Verdict(CLAIM, Outcome.PASSED, "no alert fires before the fault"))


def verify(context: CheckContext, arguments: StaysWell, before: Baseline) -> Verdict:
    """Kill it with -9; it must come back, all alerts fall silent and stay so, and all evidence be healthy.

    The times are its own: checks before it may have taken the whole phase's. Raises: CouldNotLook.
    """
    stack = context.stack
    if stack.settings.mode == "external":
        raise CouldNotLook("its processes are not ours to kill", where=arguments.component)
    try:
        back_after = _kill(SupervisorClient(stack), arguments.component)
        Deadline(CALM_SECONDS).wait_for(
            f"all alerts to fall silent after {arguments.component} was killed",
            lambda: True if not all_firing(stack) else None,
            every=LOOK_SECONDS,
            seen=lambda: f"firing: {', '.join(all_firing(stack))}",
        )
    except DeadlineExpired as error:
        return Verdict(CLAIM, Outcome.FAILED, error.message)
    numbers = {"seconds": arguments.seconds, "back_after_seconds": round(back_after, 1)}
    outcome, trouble = _watch(context, arguments)
    if outcome is not Outcome.PASSED:
        return Verdict(CLAIM, outcome, trouble, numbers)
    evidence = judge(look(context), f"{arguments.seconds:g} s after {arguments.component} was killed")
    if evidence.outcome is not Outcome.PASSED:
        return Verdict(CLAIM, evidence.outcome, evidence.summary, numbers, readings=evidence.readings)
    summary = f"{arguments.component} was back {back_after:.0f} s after kill -9; no alert for {arguments.seconds:g} s"
    return Verdict(CLAIM, Outcome.PASSED, summary, numbers)


def _kill(client: SupervisorClient, component: str) -> float:
    """Kill it; returns once another process than before is healthy, and how long that took, in seconds.

    Raises: DeadlineExpired.
    """
    before = client.row(component).pid
    client.kill(component)
    patience = Deadline(BACK_SECONDS)

    def back() -> bool | None:
        row = client.row(component)
        return True if row.pid not in (None, before) and row.health is Health.HEALTHY else None

    patience.wait_for(f"{component} to come back", back, every=0.5, seen=lambda: str(client.row(component)))
    return patience.elapsed


def _watch(context: CheckContext, arguments: StaysWell) -> tuple[Outcome, str]:
    """Look at all alerts until the time is over; what kept it from passing in words."""
    told, looks, answered = Deadline(arguments.seconds), 0, 0
    while not told.expired:
        looks += 1
        with suppress(CouldNotLook):
            alerts = all_firing(context.stack)
            answered += 1
            if alerts:
                when = f"{told.elapsed:.0f} s after {arguments.component} was back and all was quiet"
                return Outcome.FAILED, f"{', '.join(alerts)} fires {when}"
        context.progress(f"no alert for {told.elapsed:.0f} s since {arguments.component} is back")
        told.pause(LOOK_SECONDS)
    if answered < ENOUGH * looks:
        return Outcome.UNKNOWN, f"Prometheus answered {answered} of {looks} questions"
    return Outcome.PASSED, ""


CHECK = Check("stays_well", CLAIM, baseline, verify, StaysWell, acts=True)
