"""The alerts do not fire now and did not in the quiet time; read in Prometheus, where a silence does not count."""

from dataclasses import replace

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.errors import CouldNotLook
from lakeproof.probes.prometheus import alert_states, firing, reading

CLAIM = "the alert is cleared in Prometheus and stayed so"


def baseline(context: CheckContext, arguments: Arguments) -> Baseline:
    """The alerts do not fire before the fault; for how long they have been quiet does not matter.

    Unknown while an alert is pending from an earlier cause: if it fired later, the fault would be taken for detected.
    """
    verdict = _judge(context, quiet_seconds=0)
    if verdict.outcome is Outcome.PASSED:
        states = alert_states(context.stack)
        if pending := [alert for alert in context.alerts if alert in states]:
            verdict = replace(verdict, outcome=Outcome.UNKNOWN, summary=f"about to fire: {', '.join(pending)}")
    return Baseline(verdict)


def verify(context: CheckContext, arguments: Arguments, before: Baseline) -> Verdict:
    """The alerts do not fire now, and did not within the quiet time."""
    return _judge(context, context.quiet_seconds)


def _judge(context: CheckContext, quiet_seconds: float) -> Verdict:
    if not context.alerts:
        return Verdict(CLAIM, Outcome.UNKNOWN, "there is no alert to look at")
    readings = tuple(
        reading(
            context.stack,
            "alert-firing",
            f'max_over_time(ALERTS{{alertname="{alert}",alertstate="firing"}}[{max(1, round(quiet_seconds))}s])',
        )
        for alert in context.alerts
    )
    try:
        now = [alert for alert in context.alerts if firing(context.stack, alert)]
    except CouldNotLook as error:
        return Verdict(CLAIM, Outcome.UNKNOWN, error.message, readings=readings)
    if any(not seen.answered for seen in readings):
        return Verdict(CLAIM, Outcome.UNKNOWN, "Prometheus gave no answer", readings=readings)
    lately = [
        alert
        for alert, seen in zip(context.alerts, readings, strict=True)
        if quiet_seconds > 0 and seen.value is not None
    ]
    numbers = {"firing": float(len(now)), "fired_within_quiet": float(len(lately))}
    if now:
        return Verdict(CLAIM, Outcome.FAILED, f"firing in Prometheus: {', '.join(now)}", numbers, readings=readings)
    if lately:
        summary = f"fired within the last {quiet_seconds:.0f} s: {', '.join(lately)}"
        return Verdict(CLAIM, Outcome.FAILED, summary, numbers, readings=readings)
    return Verdict(CLAIM, Outcome.PASSED, f"not firing: {', '.join(context.alerts)}", numbers, readings=readings)


CHECK = Check("alert_cleared", CLAIM, baseline, verify, watched=True)
