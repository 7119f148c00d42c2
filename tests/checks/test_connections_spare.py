"""A login, the share that is taken, and the limit of the account that leaked."""

import pytest

from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.stack.database_sessions import UNLIMITED, Held, Sessions
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import checks
from lakeproof_shop.scenarios.connection_saturation.checks import ConnectionsSpare, judge

REPORT = ConnectionsSpare(account="report")


def seen(report: int) -> Sessions:
    return Sessions(200, {"report": Held(report, report), "order_service": Held(5, 5)})


@pytest.mark.parametrize(
    ("report", "login", "limit", "outcome"),
    [
        (10, "answers", 10, Outcome.PASSED),
        (0, "answers", None, Outcome.PASSED),
        (10, "answers", 0, Outcome.FAILED),
        (10, "answers", 199, Outcome.PASSED),
        (10, "answers", 200, Outcome.FAILED),
        (11, "answers", 10, Outcome.FAILED),
        (115, "answers", None, Outcome.FAILED),
        (10, "error 1040", 10, Outcome.FAILED),
    ],
)
def test_what_is_taken_who_is_limited_and_who_comes_in(
    report: int, login: str, limit: int | None, outcome: Outcome
) -> None:
    assert judge(seen(report), REPORT, login, 0.01, limit).outcome is outcome


def test_the_seconds_of_the_login_are_told() -> None:
    verdict = judge(seen(3), REPORT, "answers", 0.0124, 10)
    assert "a login took 0.012 s" in verdict.summary
    assert verdict.numbers == {
        "login_seconds": 0.012,
        "taken_percent": 4.0,
        "sessions_of_account": 3.0,
        "limit": 10.0,
    }


@pytest.mark.parametrize(("broken", "outcome"), [(True, Outcome.FAILED), (False, Outcome.PASSED)])
def test_a_limit_is_asked_for_only_where_something_was_broken(
    broken: bool, outcome: Outcome, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "_log_in", lambda stack, database: ("answers", 0.01))
    monkeypatch.setattr(checks, "sessions", lambda stack, database, seconds: seen(3))
    monkeypatch.setattr(checks, "limit_of", lambda stack, database, account, seconds: UNLIMITED)
    context = CheckContext(stack, Deadline(5), fault_made=broken)
    before = Baseline(Verdict("", Outcome.PASSED, ""))
    assert REPORT.verify(context, before).outcome is outcome


@pytest.mark.parametrize(
    ("login", "took", "taken", "outcome"),
    [
        ("answers", 0.01, 30, Outcome.PASSED),
        ("answers", 1.2, 30, Outcome.FAILED),
        ("answers", 0.01, 130, Outcome.FAILED),
        ("error 1040", 0.01, 30, Outcome.FAILED),
    ],
)
def test_where_no_account_leaked_nobody_has_to_be_limited(
    login: str, took: float, taken: int, outcome: Outcome, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a lock that everybody waited for."""
    monkeypatch.setattr(checks, "_log_in", lambda stack, database: (login, took))
    monkeypatch.setattr(checks, "sessions", lambda stack, database, seconds: seen(taken))
    context = CheckContext(stack, Deadline(0))
    verdict = checks.ConnectionsSpare().verify(context, Baseline(Verdict("", Outcome.PASSED, "")))
    assert verdict.outcome is outcome
    assert verdict.numbers.keys() == {"login_seconds", "taken_percent"}
