"""The checks about data, over reports made up: each looks at all of the report, and none passes by not looking."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lakeproof.checks import data_report
from lakeproof.checks import rows as rows_checks
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.drills.bound_checks import Judged, counted
from lakeproof.incidents.self_check import ROWS_OF
from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.report import AGREE, CheckReport, ClaimReport, Cut, TableReport
from lakeproof.stack.stack import Stack

NOTHING = Baseline(Verdict("", Outcome.PASSED, ""))
AGREED = f"{AGREE} (trino, flink)"
GOOD = CheckReport(
    at=datetime(2026, 11, 26, tzinfo=UTC),
    cut=Cut("ab" * 32, 7, 1, 0.5, 0),
    acknowledged=5000,
    orders=900,
    unclear=0,
    refused=0,
    tables=tuple(TableReport("orders", engine, 900) for engine in ("mysql", "trino", "flink")),
    across=(ClaimReport("every order has all its items, and their sum (trino)"), ClaimReport(AGREED)),
)
DISAGREE = replace(GOOD, across=(ClaimReport(AGREED, tuple(f"order_items bucket {number}" for number in range(17))),))
LOST = TableReport("orders", "trino", 899, (Finding("orders", Wrong.LOST, "k1", "absent"),))


@pytest.fixture
def context(stack: Stack) -> CheckContext:
    return CheckContext(stack, Deadline(5))


def over(report: CheckReport, check: Check, context: CheckContext, monkeypatch: pytest.MonkeyPatch) -> Verdict:
    """The verdict of a check after the repair, where `lakeproof check` found that report."""
    monkeypatch.setattr(data_report, "check", lambda stack, **options: report)
    verdict = check.verify(context, NOTHING)
    assert isinstance(verdict, Verdict)
    return verdict


@pytest.mark.parametrize("check", [rows_checks.NoOrderLost(), rows_checks.WholeTransactions()])
def test_a_report_without_a_fault_passes(
    check: Check, context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert over(GOOD, check, context, monkeypatch).outcome is Outcome.PASSED


def test_the_numbers_tell_which_engines_were_read_as_the_desks_cross_check_asks(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = Judged(rows_checks.NoOrderLost.id, over(GOOD, rows_checks.NoOrderLost(), context, monkeypatch))
    rows = (ROWS_OF.match(reading.probe) for reading in counted(judged))
    assert {row[1] for row in rows if row} == {"mysql", "trino", "flink"}


def test_engines_that_disagree_fail_with_what_they_disagree_on(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = over(DISAGREE, rows_checks.NoOrderLost(), context, monkeypatch)
    assert verdict.outcome is Outcome.FAILED
    assert f"17 violations: {AGREED}" in verdict.summary
    assert verdict.numbers["violations"] == 17
    assert verdict.keys[:2] == ("order_items bucket 0", "order_items bucket 1")


def test_a_scenario_without_the_lake_asks_no_engine_of_it(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    report = replace(GOOD, cut=None, tables=GOOD.tables[:1])

    def check(stack: Stack, *, engines: object, **_: object) -> CheckReport:
        asked.append(engines)
        return report

    monkeypatch.setattr(data_report, "check", check)
    verdict = rows_checks.NoOrderLost(lake=False).verify(context, NOTHING)
    assert verdict.outcome is Outcome.PASSED
    assert "database agree" in verdict.summary
    assert asked == [()]
    unread = replace(report, tables=())
    monkeypatch.setattr(data_report, "check", lambda stack, **options: unread)
    context.reports.clear()
    assert rows_checks.NoOrderLost(lake=False).verify(context, NOTHING).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (replace(GOOD, tables=(*GOOD.tables, LOST)), "lost 1"),
        (replace(GOOD, oversold=3), "3 units"),
        (
            replace(GOOD, across=(ClaimReport("shop: stock adds up", ("sku 7",)),)),
            "1 violations: shop: stock adds up",
        ),
    ],
)
def test_whatever_the_report_finds_wrong_fails(
    report: CheckReport, words: str, context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = over(report, rows_checks.NoOrderLost(), context, monkeypatch)
    assert (verdict.outcome, words in verdict.summary) == (Outcome.FAILED, True), verdict.summary


@pytest.mark.parametrize("check", [rows_checks.NoOrderLost(), rows_checks.WholeTransactions()])
@pytest.mark.parametrize(
    ("report", "words"),
    [
        (replace(GOOD, unknown=("trino: no answer",)), "trino: no answer"),
        (replace(GOOD, tables=GOOD.tables[:1]), "trino: nothing was read there"),
        (replace(GOOD, tables=tuple(replace(table, rows=0) for table in GOOD.tables), orders=0), "order"),
    ],
    ids=["no answer", "an engine was left out", "no order at all"],
)
def test_what_was_not_looked_at_is_unknown(
    check: Check, report: CheckReport, words: str, context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = over(report, check, context, monkeypatch)
    assert (verdict.outcome, words in verdict.summary) == (Outcome.UNKNOWN, True), verdict.summary


def test_rows_beside_a_ledger_that_knows_none_of_them_are_unknown(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tuple(replace(table, not_ours=900) for table in GOOD.tables)
    verdict = over(replace(GOOD, orders=0, tables=foreign), rows_checks.NoOrderLost(), context, monkeypatch)
    assert verdict.outcome is Outcome.UNKNOWN
    assert "it knows no order" in verdict.summary


def test_a_new_lake_without_any_order_is_a_good_baseline(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = replace(GOOD, orders=0, acknowledged=0, tables=tuple(replace(one, rows=0) for one in GOOD.tables))
    monkeypatch.setattr(data_report, "check", lambda stack, **options: new)
    assert rows_checks.NoOrderLost().baseline(context).verdict.outcome is Outcome.PASSED
    assert rows_checks.WholeTransactions().baseline(context).verdict.outcome is Outcome.PASSED


def test_the_claims_of_one_phase_share_one_report(context: CheckContext, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def check(stack: Stack, *, engines: Sequence[str], **options: object) -> CheckReport:
        asked.append(tuple(engines))
        return GOOD

    monkeypatch.setattr(data_report, "check", check)
    rows_checks.NoOrderLost().verify(context, NOTHING)
    rows_checks.WholeTransactions().verify(context, NOTHING)
    assert asked == [("trino", "flink")]
    rows_checks.NoOrderLost(engines=["spark"]).verify(context, NOTHING)
    rows_checks.NoOrderLost().verify(replace(context, reports={}), NOTHING)
    assert asked[1:] == [("spark",), ("trino", "flink")], "an engine that was not read, and another phase"
