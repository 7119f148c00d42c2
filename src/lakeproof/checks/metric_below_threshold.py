"""A metric is below its threshold and was so for the quiet time. A metric without a series does not pass."""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.probes.prometheus import reading
from lakeproof.probes.reading import Reading

CLAIM = "the metric is below its threshold and stayed so"
# At least this share of the samples expected in the quiet time must be there: a few scrapes may be late.
ENOUGH = 0.6
# "Now" is the newest sample of the last 5 s: after a scrape that took too long, the metric is absent until the next.
NEWEST_OF_SECONDS = 5
# In how many seconds of the window any target at all had been scraped in the newest seconds.
SCRAPED = "count_over_time(count(count_over_time(up[{newest}s]))[{window}s:1s])"


class MetricBelowThreshold(Arguments):
    """`metric`: an instant vector in PromQL. `threshold`: in its unit. `per_second`: its samples per second."""

    metric: str = Field(min_length=1)
    threshold: float
    unit: str = ""
    per_second: float = Field(1.0, gt=0)


def baseline(context: CheckContext, arguments: MetricBelowThreshold) -> Baseline:
    """The metric has a value below its threshold before the fault."""
    return Baseline(_judge(context, arguments, quiet_seconds=0))


def verify(context: CheckContext, arguments: MetricBelowThreshold, before: Baseline) -> Verdict:
    """The metric had samples all through the quiet time, all of them below its threshold."""
    return _judge(context, arguments, context.quiet_seconds)


def _judge(context: CheckContext, arguments: MetricBelowThreshold, quiet_seconds: float) -> Verdict:
    newest = f"last_over_time(({arguments.metric})[{NEWEST_OF_SECONDS}s:1s])"
    now = reading(context.stack, "metric", newest, arguments.unit)
    readings: tuple[Reading, ...] = (now,)
    highest = now
    if quiet_seconds > 0:
        window = f"({arguments.metric})[{round(quiet_seconds)}s:1s]"
        highest = reading(context.stack, "metric-highest", f"max_over_time({window})", arguments.unit)
        count = reading(context.stack, "metric-samples", f"count_over_time({window})")
        # The window's steps are filled from older samples, also where Prometheus itself stood still.
        pause = max(NEWEST_OF_SECONDS, round(1 / arguments.per_second))  # of a Prometheus that scrapes seldom
        steps = SCRAPED.format(newest=pause, window=round(quiet_seconds))
        scraped = reading(context.stack, "scraped", steps)
        readings = (now, highest, count, scraped)
    if any(not seen.answered for seen in readings):
        return Verdict(CLAIM, Outcome.UNKNOWN, f"no answer: {arguments.metric}", readings=readings)
    if not isinstance(now.value, int | float) or not isinstance(highest.value, int | float):
        # Before the fault a missing metric is unknown, and looked for again: its exporter may have just started.
        outcome = Outcome.FAILED if quiet_seconds > 0 else Outcome.UNKNOWN
        return Verdict(CLAIM, outcome, f"there is no such metric: {arguments.metric}", readings=readings)
    numbers = {"now": float(now.value), "highest": float(highest.value), "threshold": arguments.threshold}
    if quiet_seconds > 0:
        wanted = quiet_seconds * ENOUGH * arguments.per_second
        samples = readings[2].value
        if not isinstance(samples, int | float) or samples < wanted:
            summary = f"only {samples or 0} samples of {arguments.metric} in {quiet_seconds:.0f} s"
            return Verdict(CLAIM, Outcome.FAILED, summary, numbers, readings=readings)
    if not highest.value < arguments.threshold:
        summary = f"{arguments.metric} was {highest.value:g}, not below {arguments.threshold:g}"
        return Verdict(CLAIM, Outcome.FAILED, summary, numbers, readings=readings)
    if quiet_seconds > 0:
        scraped_seconds = readings[3].value
        if not isinstance(scraped_seconds, int | float) or scraped_seconds < quiet_seconds * ENOUGH:
            summary = f"Prometheus scraped nothing in a part of the last {quiet_seconds:.0f} s"
            return Verdict(CLAIM, Outcome.UNKNOWN, summary, numbers, readings=readings)
    return Verdict(
        CLAIM,
        Outcome.PASSED,
        f"{arguments.metric} is {now.value:g}, at most {highest.value:g}, below {arguments.threshold:g}",
        numbers,
        readings=readings,
    )


CHECK = Check("metric_below_threshold", CLAIM, baseline, verify, MetricBelowThreshold, watched=True)
