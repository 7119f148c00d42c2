"""The outcome never passes what could not be looked at, and the JSON has the contract's shape."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakeproof.checks.verdict import Outcome
from lakeproof.errors import InvalidInput
from lakeproof.proof.checking import check
from lakeproof.proof.findings import Finding, Wrong
from lakeproof.proof.report import CheckReport, ClaimReport, Cut, TableReport
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

LOST = Finding("orders", Wrong.LOST, "k1", "acknowledged at version 1, absent")


def report(*findings: Finding, violations: int = 0, unknown: tuple[str, ...] = ()) -> CheckReport:
    """One table in one engine."""
    return CheckReport(
        at=datetime(2026, 11, 24, tzinfo=UTC),
        cut=Cut("ab" * 32, 7, 1, 0.5, 0),
        acknowledged=2,
        orders=1,
        unclear=0,
        refused=0,
        tables=(TableReport("orders", "trino", 5, findings),),
        across=(ClaimReport("engines agree", ("orders bucket 3",) * violations),),
        unknown=unknown,
    )


def test_nothing_wrong_and_all_looked_at_is_passed() -> None:
    assert report().outcome is Outcome.PASSED


def test_what_could_not_be_looked_at_is_unknown() -> None:
    assert report(unknown=("trino: no answer",)).outcome is Outcome.UNKNOWN


def test_what_was_left_out_on_purpose_is_said_and_makes_nothing_unknown() -> None:
    seen = replace(report(), left_out=("shop: not compared",))
    assert (seen.outcome, seen.as_json()["left_out"]) == (Outcome.PASSED, ["shop: not compared"])


def test_something_wrong_is_failed_even_where_not_all_was_looked_at() -> None:
    assert report(LOST, unknown=("flink: no answer",)).outcome is Outcome.FAILED


def test_a_broken_claim_alone_is_failed() -> None:
    assert report(violations=1).outcome is Outcome.FAILED


def test_a_claim_says_how_much_it_judged_and_where_that_was_nothing() -> None:
    young = ClaimReport("events are acted on", (), 0, "events sent 120 s ago or longer")
    assert young.judges_nothing
    assert young.in_words == "nothing to judge: events are acted on (no events sent 120 s ago or longer)"
    assert replace(young, judged=3).in_words == "ok: events are acted on (3 events sent 120 s ago or longer)"
    assert (
        ClaimReport("engines agree", ("orders bucket 3", "orders bucket 4")).in_words == "2 violations: engines agree"
    )
    assert replace(young, judged=3).as_json()["judged"] == 3


def test_the_json_has_the_shape_of_the_contract() -> None:
    shape = report(LOST).as_json()
    assert {"verdict", "nessie_hash", "at", "acknowledged", "unclear", "tables", "across", "oversold"} <= shape.keys()
    assert shape["oversold"] is None  # there is no inventory to look at yet: never 0
    assert shape["tables"] == [
        {
            "table": "orders",
            "engine": "trino",
            "rows": 5,
            "lost": 1,
            "duplicated": 0,
            "stale": 0,
            "phantom": 0,
            "keys": ["k1"],
            "unsettled": 0,
        }
    ]


def nothing_answers(tmp_path: Path) -> Stack:
    """A stack whose every endpoint refuses."""
    secrets = {"mysql-reader": "x", "s3-access-key": "x", "s3-secret-key": "x"}
    return Stack(Settings(mode="external", state_dir=tmp_path, port_shift=45000, secrets=secrets))


def test_a_check_of_a_stack_that_is_down_is_unknown_and_says_why(tmp_path: Path) -> None:
    seen = check(nothing_answers(tmp_path), cover_seconds=1)
    assert seen.outcome is Outcome.UNKNOWN
    told = "\n".join(seen.unknown)
    assert "mysql" in told
    assert "nessie" in told


def test_an_unknown_engine_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="duck"):
        check(nothing_answers(tmp_path), engines=("duck",))


def test_a_ledger_without_orders_beside_somebody_elses_compared_nothing() -> None:
    theirs = replace(report(), orders=0, tables=(TableReport("orders", "trino", 5, (), 5),))
    assert theirs.outcome is Outcome.UNKNOWN
    assert theirs.unknown == ()
    assert "knows no order" in str(theirs.as_json()["unknown"])


@pytest.mark.parametrize(
    ("unsettled", "rows", "outcome"),
    [
        (10, 11, "passed"),
        (11, 12, "unknown"),
        (50, 5_000, "passed"),
        (51, 5_000, "unknown"),
        (5, 5, "unknown"),  # few, but nothing of the table was judged
    ],
)
def test_rows_that_never_keep_still_are_unknown_above_the_stated_share(
    unsettled: int, rows: int, outcome: str
) -> None:
    moving = replace(report(), tables=(TableReport("payments", "trino", rows, unsettled=unsettled),))
    assert moving.outcome == outcome
    assert moving.as_json()["tables"] == [{**moving.tables[0].as_json(), "unsettled": unsettled}]
    if outcome == "unknown":
        assert f"trino.payments: {unsettled} of {rows} changed at each look: not judged" in moving.reasons[0]


def test_skus_that_never_keep_still_are_unknown_above_the_stated_share() -> None:
    claim = ClaimReport("stock adds up", (), 989, "SKUs", unsettled=11)
    assert replace(report(), across=(claim,)).outcome is Outcome.UNKNOWN
    assert replace(report(), across=(replace(claim, judged=9_989),)).outcome is Outcome.PASSED
    assert replace(report(), across=(replace(claim, judged=0, unsettled=2),)).outcome is Outcome.UNKNOWN
    assert replace(report(), across=(replace(claim, judged=None, unsettled=2),)).outcome is Outcome.PASSED


def test_a_ledger_without_an_order_against_tables_without_a_row_has_judged_nothing() -> None:
    empty = replace(report(), orders=0, tables=(TableReport("orders", "trino", 0),))
    assert (empty.outcome, empty.unknown) == (Outcome.UNKNOWN, ())
    assert "nothing judged" in str(empty.as_json()["unknown"])
