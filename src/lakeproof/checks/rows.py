"""Checks that judge rows."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.data_report import data_report
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.probes.reading import Reading
from lakeproof.proof.findings import Wrong
from lakeproof.proof.report import KEYS_SHOWN, CheckReport
from lakeproof.proof.tables.readers import DATABASE

MOST_UNCLEAR = 0.01


class NoOrderLost(Check):
    """No acknowledged order is lost, duplicated, stale or made up, in the database and in the lake.

    What the shop acknowledged is in the database and in the lake: nothing lost, doubled, stale or made up.

    A scenario in which the lake has no part sets `lake: false`; then no engine is asked, and its stack needs none.

    The verdict rests on the whole report of `lakeproof check`: the rows of every engine, the claims across tables,
    engines and services, and what could not be looked at.

    engines: the engines that must agree after the repair. lake: False where the lake has no part.

    orders: the least number of acknowledged orders after the repair; a claim over none says nothing.
    """

    judges_rows = True

    engines: list[Literal["trino", "flink", "spark"]] = Field(["trino", "flink"], min_length=1)
    lake: bool = True
    orders: int = Field(1, ge=1)

    @property
    def asked(self) -> Sequence[str]:
        """The engines that are asked; none without the lake."""
        return self.engines if self.lake else ()

    def baseline(self, context: CheckContext) -> Baseline:
        """The claim holds before the fault, however few orders there are.

        One engine is enough here: the second one costs half a minute of two cores.
        """
        return Baseline(_judge(context, self.asked[:1], 0))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The claim holds after the repair, in every engine, over enough orders."""
        return _judge(context, self.asked, self.orders)


def _judge(context: CheckContext, engines: Sequence[str], orders: int) -> Verdict:
    report = data_report(context, engines)
    numbers: dict[str, float] = {
        "acknowledged": report.orders,
        "calls": report.acknowledged,
        "unclear": report.unclear,
        "refused": report.refused,
        **{wrong.value: report.total(wrong) for wrong in Wrong},
        "violations": sum(claim.violations for claim in report.broken),
        **({} if report.oversold is None else {"oversold": report.oversold}),
        **{f"rows.{table.engine}": table.rows for table in report.tables if table.table == "orders"},
    }
    outcome, summary = _outcome(report, engines, orders)
    return Verdict(NoOrderLost.summary, outcome, summary, numbers, report.keys()[:KEYS_SHOWN], readings_of(report))


def _outcome(report: CheckReport, engines: Sequence[str], orders: int) -> tuple[Outcome, str]:
    wrong = {kind.value: report.total(kind) for kind in Wrong}
    counts = ", ".join(f"{name} {count}" for name, count in wrong.items())
    if report.outcome is Outcome.FAILED:
        problems = [f"{counts} of {report.orders} acknowledged orders"] if any(wrong.values()) else []
        if report.oversold:
            problems.append(f"{report.oversold} units are sold or promised beyond what came in")
        return Outcome.FAILED, "; ".join((*problems, *(claim.in_words for claim in report.broken)))
    unknown = (*report.not_judged, *report.not_read((DATABASE, *engines)))
    if unknown:
        return Outcome.UNKNOWN, "; ".join(unknown)
    if report.orders < orders:
        return Outcome.UNKNOWN, f"only {report.orders} acknowledged orders to look at, {orders} wanted"
    if report.unclear > MOST_UNCLEAR * max(report.acknowledged, 1):
        return Outcome.UNKNOWN, f"{report.unclear} of {report.acknowledged} calls are unclear, more than 1 %"
    return (
        Outcome.PASSED,
        f"{counts} over {report.orders} acknowledged orders; {' and '.join(('database', *engines))} agree, and all "
        f"{len(report.across)} claims hold",
    )


def readings_of(report: CheckReport) -> tuple[Reading, ...]:
    """The hash, the checkpoint and the number of orders looked at, each with the command that asks again."""
    again = f"lakeproof check --at {report.nessie_hash}" if report.nessie_hash else "lakeproof check"
    values = (("nessie-hash", report.nessie_hash), ("checkpoint", report.checkpoint), ("orders", report.orders))
    return tuple(
        Reading(probe, value, "", report.at, "nessie" if probe != "orders" else "ledger", again)
        for probe, value in values
    )


ENGINE = "trino"


class WholeTransactions(Check):
    """No part of an order's transaction is visible at a published hash."""

    judges_rows = True

    def baseline(self, context: CheckContext) -> Baseline:
        """The claim holds before the fault; a new lake may have no order yet."""
        return Baseline(_judge_transactions(context, orders=0))

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The claim holds after the repair, and at least one order is published."""
        return _judge_transactions(context, orders=1)


def _judge_transactions(context: CheckContext, orders: int) -> Verdict:
    report = data_report(context, (ENGINE,))
    violations = sum(claim.violations for claim in report.broken)
    keys = tuple(dict.fromkeys(key for claim in report.broken for key in claim.keys))[:KEYS_SHOWN]
    numbers = {"violations": float(violations), "claims": float(len(report.across))}
    if report.broken:
        summary = "; ".join(claim.in_words for claim in report.broken)
        return Verdict(WholeTransactions.summary, Outcome.FAILED, summary, numbers, keys, readings_of(report))
    unknown = [*report.not_judged, *report.not_read((ENGINE,))]
    published = sum(table.rows for table in report.tables if (table.table, table.engine) == ("orders", ENGINE))
    if published < orders:
        unknown.append("no order is published, so there was no transaction to look at")
    if unknown:
        return Verdict(
            WholeTransactions.summary, Outcome.UNKNOWN, "; ".join(unknown), numbers, (), readings_of(report)
        )
    empty = [claim.claim for claim in report.across if claim.judges_nothing]
    numbers["claims_without_a_subject"] = float(len(empty))
    summary = f"no violation of {len(report.across)} claims"
    if empty:
        summary += f"; these of them had nothing to judge: {'; '.join(empty)}"
    return Verdict(WholeTransactions.summary, Outcome.PASSED, summary, numbers, (), readings_of(report))
