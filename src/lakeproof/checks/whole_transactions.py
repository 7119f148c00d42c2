"""At a published hash every order has all its items and events: no transaction is visible in part."""

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.no_order_lost import readings_of
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.proof.checking import check
from lakeproof.proof.report import KEYS_SHOWN

CLAIM = "no part of a transaction is visible at a published hash"


def baseline(context: CheckContext, arguments: Arguments) -> Baseline:
    """It holds before the fault."""
    return Baseline(_judge(context))


def verify(context: CheckContext, arguments: Arguments, before: Baseline) -> Verdict:
    """It holds after the repair."""
    return _judge(context)


def _judge(context: CheckContext) -> Verdict:
    """At a hash of its own: beside traffic, one more sample than `no_order_lost` took."""
    report = check(context.stack, engines=("trino",), cover_seconds=context.deadline.left, progress=context.progress)
    broken = [claim for claim in report.across if claim.violations]
    violations = sum(claim.violations for claim in broken)
    keys = tuple(dict.fromkeys(key for claim in broken for key in claim.keys))[:KEYS_SHOWN]
    numbers = {"violations": float(violations), "claims": float(len(report.across))}
    if broken:
        summary = "; ".join(f"{claim.claim}: {claim.violations}" for claim in broken)
        return Verdict(CLAIM, Outcome.FAILED, summary, numbers, keys, readings_of(report))
    if report.unknown or not report.across:
        summary = "; ".join(report.unknown) or "no claim was looked at"
        return Verdict(CLAIM, Outcome.UNKNOWN, summary, numbers, (), readings_of(report))
    empty = [claim.claim for claim in report.across if claim.judges_nothing]
    numbers["claims_without_a_subject"] = float(len(empty))
    summary = f"{violations} violations of {len(report.across)} claims"
    if empty:
        summary += f"; of these had nothing to judge: {'; '.join(empty)}"
    return Verdict(CLAIM, Outcome.PASSED, summary, numbers, (), readings_of(report))


CHECK = Check("whole_transactions", CLAIM, baseline, verify)
