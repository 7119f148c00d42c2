"""At a published hash every order has all its items and events: no transaction is visible in part."""

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.data_report import data_report
from lakeproof.checks.no_order_lost import readings_of
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.proof.report import KEYS_SHOWN

ENGINE = "trino"
CLAIM = "no part of an order's transaction is visible at a published hash"


def baseline(context: CheckContext, arguments: Arguments) -> Baseline:
    """The claim holds before the fault; a new lake may have no order yet."""
    return Baseline(_judge(context, orders=0))


def verify(context: CheckContext, arguments: Arguments, before: Baseline) -> Verdict:
    """The claim holds after the repair, and at least one order is published."""
    return _judge(context, orders=1)


def _judge(context: CheckContext, orders: int) -> Verdict:
    report = data_report(context, (ENGINE,))
    violations = sum(claim.violations for claim in report.broken)
    keys = tuple(dict.fromkeys(key for claim in report.broken for key in claim.keys))[:KEYS_SHOWN]
    numbers = {"violations": float(violations), "claims": float(len(report.across))}
    if report.broken:
        summary = "; ".join(claim.in_words for claim in report.broken)
        return Verdict(CLAIM, Outcome.FAILED, summary, numbers, keys, readings_of(report))
    unknown = [*report.not_judged, *report.not_read((ENGINE,))]
    published = sum(table.rows for table in report.tables if (table.table, table.engine) == ("orders", ENGINE))
    if published < orders:
        unknown.append("no order is published, so there was no transaction to look at")
    if unknown:
        return Verdict(CLAIM, Outcome.UNKNOWN, "; ".join(unknown), numbers, (), readings_of(report))
    empty = [claim.claim for claim in report.across if claim.judges_nothing]
    numbers["claims_without_a_subject"] = float(len(empty))
    summary = f"no violation of {len(report.across)} claims"
    if empty:
        summary += f"; these of them had nothing to judge: {'; '.join(empty)}"
    return Verdict(CLAIM, Outcome.PASSED, summary, numbers, (), readings_of(report))


CHECK = Check("whole_transactions", CLAIM, baseline, verify, judges_rows=True)
