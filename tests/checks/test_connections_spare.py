"""A login, the share that is taken, and the limit of the account that leaked."""

import pytest

from lakeproof.checks.connections_spare import ConnectionsSpare, judge
from lakeproof.checks.verdict import Outcome
from lakeproof.stack.database_sessions import Held, Sessions

REPORT = ConnectionsSpare(account="report")


def seen(report: int) -> Sessions:
    return Sessions(200, {"report": Held(report, report), "order_service": Held(5, 5)})


@pytest.mark.parametrize(
    ("report", "login", "limit", "outcome"),
    [
        (10, "answers", 10, Outcome.PASSED),
        (0, "answers", None, Outcome.PASSED),
        (10, "answers", 0, Outcome.FAILED),
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
