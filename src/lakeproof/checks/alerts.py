"""Checks of what Prometheus says."""

from dataclasses import replace

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.errors import CouldNotLook
from lakeproof.probes.prometheus import alert_states, firing, reading
from lakeproof.probes.reading import Reading


class AlertCleared(Check):
    """The alert is cleared in Prometheus and stayed so."""

    watched = True

    def baseline(self, context: CheckContext) -> Baseline:
        """The alerts do not fire before the fault; for how long they have been quiet does not matter.

        Unknown while an alert is pending from an earlier cause: if it fired later, the fault would be taken for
        detected.
        """
        verdict = _judge(context, quiet_seconds=0)
        if verdict.outcome is Outcome.PASSED:
            states = alert_states(context.stack)
            if pending := [alert for alert in context.alerts if alert in states]:
                verdict = replace(verdict, outcome=Outcome.UNKNOWN, summary=f"about to fire: {', '.join(pending)}")
        return Baseline(verdict)

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The alerts do not fire now, and did not within the quiet time."""
        return _judge(context, context.quiet_seconds)


def _judge(context: CheckContext, quiet_seconds: float) -> Verdict:
    if not context.alerts:
        return Verdict(AlertCleared.summary, Outcome.UNKNOWN, "there is no alert to look at")
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
        return Verdict(AlertCleared.summary, Outcome.UNKNOWN, error.message, readings=readings)
    if any(not seen.answered for seen in readings):
        return Verdict(AlertCleared.summary, Outcome.UNKNOWN, "Prometheus gave no answer", readings=readings)
    lately = [
        alert
        for alert, seen in zip(context.alerts, readings, strict=True)
        if quiet_seconds > 0 and seen.value is not None
    ]
    numbers = {"firing": float(len(now)), "fired_within_quiet": float(len(lately))}
    if now:
        return Verdict(
            AlertCleared.summary,
            Outcome.FAILED,
            f"firing in Prometheus: {', '.join(now)}",
            numbers,
            readings=readings,
        )
    if lately:
        summary = f"fired within the last {quiet_seconds:.0f} s: {', '.join(lately)}"
        return Verdict(AlertCleared.summary, Outcome.FAILED, summary, numbers, readings=readings)
    return Verdict(
        AlertCleared.summary, Outcome.PASSED, f"not firing: {', '.join(context.alerts)}", numbers, readings=readings
    )


# At least this share of the samples expected in the quiet time must be there: a few scrapes may be late.
ENOUGH = 0.6

# "Now" is the newest sample of the last 5 s: after a scrape that took too long, the metric is absent until the next.
NEWEST_OF_SECONDS = 5

# In how many seconds of the window any target at all had been scraped in the newest seconds.
SCRAPED = "count_over_time(count(count_over_time(up[{newest}s]))[{window}s:1s])"


class MetricBelowThreshold(Check):
    """The metric is below its threshold and stayed so.

    `metric`: an instant vector in PromQL. `threshold`: in its unit. `per_second`: its samples per second.
    """

    watched = True

    metric: str = Field(min_length=1)
    threshold: float
    unit: str = ""
    per_second: float = Field(1.0, gt=0)

    def baseline(self, context: CheckContext) -> Baseline:
        """The metric has a value below its threshold before the fault."""
        return Baseline(self._judge(context, quiet_seconds=0))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The metric had samples all through the quiet time, all of them below its threshold."""
        return self._judge(context, context.quiet_seconds)

    def _judge(self, context: CheckContext, quiet_seconds: float) -> Verdict:
        newest = f"last_over_time(({self.metric})[{NEWEST_OF_SECONDS}s:1s])"
        now = reading(context.stack, "metric", newest, self.unit)
        readings: tuple[Reading, ...] = (now,)
        highest = now
        if quiet_seconds > 0:
            window = f"({self.metric})[{round(quiet_seconds)}s:1s]"
            highest = reading(context.stack, "metric-highest", f"max_over_time({window})", self.unit)
            count = reading(context.stack, "metric-samples", f"count_over_time({window})")
            # The window's steps are filled from older samples, also where Prometheus itself stood still.
            pause = max(NEWEST_OF_SECONDS, round(1 / self.per_second))  # of a Prometheus that scrapes seldom
            steps = SCRAPED.format(newest=pause, window=round(quiet_seconds))
            scraped = reading(context.stack, "scraped", steps)
            readings = (now, highest, count, scraped)
        if any(not seen.answered for seen in readings):
            return Verdict(self.summary, Outcome.UNKNOWN, f"no answer: {self.metric}", readings=readings)
        if not isinstance(now.value, int | float) or not isinstance(highest.value, int | float):
            # Before the fault a missing metric is unknown, and looked for again: its exporter may have just started.
            outcome = Outcome.FAILED if quiet_seconds > 0 else Outcome.UNKNOWN
            return Verdict(self.summary, outcome, f"there is no such metric: {self.metric}", readings=readings)
        numbers = {"now": float(now.value), "highest": float(highest.value), "threshold": self.threshold}
        if quiet_seconds > 0:
            wanted = quiet_seconds * ENOUGH * self.per_second
            samples = readings[2].value
            if not isinstance(samples, int | float) or samples < wanted:
                summary = f"only {samples or 0} samples of {self.metric} in {quiet_seconds:.0f} s"
                return Verdict(self.summary, Outcome.FAILED, summary, numbers, readings=readings)
        if not highest.value < self.threshold:
            summary = f"{self.metric} was {highest.value:g}, not below {self.threshold:g}"
            return Verdict(self.summary, Outcome.FAILED, summary, numbers, readings=readings)
        if quiet_seconds > 0:
            scraped_seconds = readings[3].value
            if not isinstance(scraped_seconds, int | float) or scraped_seconds < quiet_seconds * ENOUGH:
                summary = f"Prometheus scraped nothing in a part of the last {quiet_seconds:.0f} s"
                return Verdict(self.summary, Outcome.UNKNOWN, summary, numbers, readings=readings)
        return Verdict(
            self.summary,
            Outcome.PASSED,
            f"{self.metric} is {now.value:g}, at most {highest.value:g}, below {self.threshold:g}",
            numbers,
            readings=readings,
        )
