"""The report of `lakeproof check`, made once for all claims about data of one phase: it takes most of that phase."""

from collections.abc import Sequence

from lakeproof.checks.check import CheckContext
from lakeproof.proof.checking import check
from lakeproof.proof.report import CheckReport


def data_report(context: CheckContext, engines: Sequence[str]) -> CheckReport:
    """The context's report that has read all these engines; where there is none, a new one, kept in the context."""
    for read, report in context.reports.items():
        if read.issuperset(engines):
            return report
    report = check(context.stack, engines=engines, cover_seconds=context.deadline.left, progress=context.progress)
    context.reports[frozenset(engines)] = report
    return report
