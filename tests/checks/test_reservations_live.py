"""Whether reservations live their time, over rows made up."""

from datetime import UTC, datetime, timedelta

import pytest

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.ttl_oversell import checks
from lakeproof_shop.scenarios.ttl_oversell.checks import judge

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FLOOR = 300.0


def row(age_seconds: float, left: int | None, setting: float = 900) -> tuple[object, ...]:
    """As the driver gives it: naive times in UTC. setting: for how long the service held it."""
    made = (NOW - timedelta(seconds=age_seconds)).replace(tzinfo=None)
    return (made, made + timedelta(seconds=setting), left)


def judged(*rows: tuple[object, ...], since_seconds_ago: float = 60, wanted: int = 1) -> Verdict:
    return judge(list(rows), NOW.timestamp() - since_seconds_ago, NOW, FLOOR, wanted)


def test_rows_of_now_that_live_their_time_pass() -> None:
    verdict = judged(row(10, 890), row(200, 700), row(20, None))
    assert verdict.outcome is Outcome.PASSED
    assert verdict.numbers == {"reservations": 3, "made_since": 2, "too_short": 0}


def test_one_row_that_ends_early_fails_and_is_named() -> None:
    verdict = judged(row(10, 890), row(2, 3))
    assert verdict.outcome is Outcome.FAILED
    assert len(verdict.keys) == 1
    assert "1 of 2 new" in verdict.summary
    assert verdict.keys[0].endswith("lives 5 s by the table's TTL")


@pytest.mark.parametrize("left", [890, None])
def test_a_row_that_the_service_itself_ends_early_fails_whatever_the_table_says(left: int | None) -> None:
    verdict = judged(row(10, 890), row(10, left, setting=30))
    assert verdict.outcome is Outcome.FAILED
    assert verdict.keys[0].endswith("lives 30 s by its own expires_at")


def test_a_row_that_lives_just_as_long_as_the_floor_passes() -> None:
    assert judged(row(10, 290, setting=FLOOR)).outcome is Outcome.PASSED


@pytest.mark.parametrize(("age", "left", "outcome"), [(49.15, 250, Outcome.PASSED), (48.9, 250, Outcome.FAILED)])
def test_the_second_that_cassandra_does_not_count_is_no_early_end(age: float, left: int, outcome: Outcome) -> None:
    """Written at 50.9 s for 300 s, and asked at 100.05 s, its 250 s are left by whole seconds: 49.15 + 250."""
    assert judged(row(age, left)).outcome is outcome
    assert judged(row(10, 890, setting=FLOOR - 0.5)).outcome is Outcome.FAILED


def test_an_old_row_that_is_about_to_end_by_its_own_time_is_not_short() -> None:
    assert judged(row(10, 890), row(895, 5)).outcome is Outcome.PASSED


def test_rows_of_before_say_nothing_of_the_repair() -> None:
    assert judged(row(200, 700)).outcome is Outcome.UNKNOWN
    assert judged(row(70, 3), row(10, 890)).outcome is Outcome.PASSED
    assert judged().outcome is Outcome.UNKNOWN
    assert judged(wanted=0).outcome is Outcome.PASSED


def test_both_ends_are_read_of_the_ring(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    made = datetime.now(UTC).replace(tzinfo=None)
    of_row = {"created_at": made, "expires_at": made + timedelta(seconds=30), "TTL(order_key)": 890}

    def ring(stack: Stack, statement: str, timeout: float) -> list[tuple[object, ...]]:
        asked = statement.removeprefix("SELECT ").partition(" FROM ")[0]
        return [tuple(of_row[name] for name in asked.split(", "))]

    monkeypatch.setattr(checks, "instant", lambda *_: [])
    monkeypatch.setattr(checks, "select", ring)
    context = CheckContext(stack, Deadline(5))
    before = checks.ReservationsLive().baseline(context)
    verdict = checks.ReservationsLive().verify(context, before)
    assert (verdict.outcome, verdict.numbers["too_short"]) == (Outcome.FAILED, 1)


def test_without_prometheus_it_is_unknown(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object) -> list[object]:
        raise CouldNotLook("no answer", where="prometheus")

    monkeypatch.setattr(checks, "instant", silent)
    context = CheckContext(stack, Deadline(5))
    before = Baseline(Verdict("", Outcome.PASSED, ""))
    with pytest.raises(CouldNotLook):
        checks.ReservationsLive().verify(context, before)
