"""check-time: how long `check` takes on the running stack, and where the seconds go.

Each run is a whole check as `lakeproof check` makes it, with its wait for a published hash that covers now. The first
run also starts the engines that are not up yet, so the median leaves it out.
"""

import statistics
from typing import Any

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.deadline import Deadline
from lakeproof.proof.checking import check
from lakeproof.proof.outcome import Outcome
from lakeproof.proof.report import CheckReport
from lakeproof.stack.stack import Stack

RUNS = 3
AIM_SECONDS = 25.0
TOLD_SECONDS = 5.0


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """An engine that does not answer raises nothing: the result is then unknown."""
    reports = []
    for number in range(1, (options.rounds or RUNS) + 1):
        reports.append(check(stack, progress=now_and_then(progress)))
        progress(f"{number}: {reports[-1].outcome} after {reports[-1].seconds:.1f} s")
    return result_of(options, reports)


def now_and_then(progress: Progress) -> Progress:
    """A progress function that passes on at most one text per TOLD_SECONDS, and drops the others."""
    told = [Deadline(TOLD_SECONDS)]

    def tell(text: str) -> None:
        if told[0].expired:
            told[0] = Deadline(TOLD_SECONDS)
            progress(text)

    return tell


def result_of(options: Options, reports: list[CheckReport]) -> Result:
    """The result of the runs: failed where a check failed, unknown where one could not look."""
    runs = [
        {
            "run": number,
            "seconds": round(report.seconds, 1),
            "outcome": report.outcome.value,
            "acknowledged": report.acknowledged,
            "rows": sum(table.rows for table in report.tables),
            "hash": (report.nessie_hash or "")[:16],
        }
        for number, report in enumerate(reports, start=1)
    ]
    later = reports[1:] or reports
    median = statistics.median(report.seconds for report in later)
    return Result(
        "check-time",
        options,
        {"runs": runs, f"steps, median of {len(later)} runs": steps_of(later)},
        [Ratio.at_most(f"seconds to {AIM_SECONDS:g} s", median, AIM_SECONDS)],
        [f"run {number} unknown: {why}" for number, one in enumerate(reports, start=1) for why in one.reasons],
        failed=any(report.outcome is Outcome.FAILED for report in reports),
        unknown=any(report.outcome is Outcome.UNKNOWN for report in reports),
    )


def steps_of(reports: list[CheckReport]) -> list[dict[str, Any]]:
    """When each step ended after the check began, in order of time. Steps of several engines run in parallel."""
    found: dict[str, list[float]] = {}
    for report in reports:
        for step, seconds in report.steps.items():
            found.setdefault(step, []).append(seconds)
    ended = sorted((statistics.median(seconds), step) for step, seconds in found.items())
    before = [0.0, *(seconds for seconds, _ in ended)]
    return [
        {"step": step, "ended_s": round(seconds, 2), "after_the_one_before_s": round(seconds - earlier, 2)}
        for (seconds, step), earlier in zip(ended, before, strict=False)
    ]


BENCHMARK = Benchmark("check-time", "seconds of `check` on the running stack, step by step", (), run)
