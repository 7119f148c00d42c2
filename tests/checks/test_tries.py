"""One slow answer of a busy machine is asked for again; what is slow each time stays slow."""

from collections.abc import Iterator

import pytest

from lakeproof.checks import tries
from lakeproof.checks.check import Baseline, CheckContext
from lakeproof.checks.tries import TRIES, ask_again
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.stack.database_sessions import Held, Sessions
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import checks
from lakeproof_shop.scenarios.trino_backlog import checks as trino_backlog_checks

BEFORE = Baseline(Verdict("", Outcome.PASSED, ""), {"at": 1.0})


def context() -> CheckContext:
    return CheckContext(Stack(Settings()), Deadline(60))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize(
    ("answers", "given"),
    [
        ([0.2, 9.0], [0.2]),
        ([4.0, 5.0, 0.3, 9.0], [4.0, 5.0, 0.3]),
        ([4.0] * (TRIES + 3), [4.0] * TRIES),
    ],
)
def test_it_is_asked_again_a_few_times_while_it_is_slow(answers: list[float], given: list[float]) -> None:
    asked = iter(answers)
    assert ask_again(lambda: next(asked), lambda took: took >= 3, Deadline(60)) == given


def test_past_the_end_of_the_phase_it_is_not_asked_again() -> None:
    assert ask_again(lambda: 4.0, lambda took: took >= 3, Deadline(0)) == [4.0]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([4.9, 0.01], Outcome.PASSED),
        ([4.9] * TRIES, Outcome.FAILED),
    ],
)
def test_a_login_that_takes_more_than_a_second_each_time_does_not_pass(
    answers: list[float], outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins: Iterator[tuple[str, float]] = iter([("answers", took) for took in answers])
    monkeypatch.setattr(checks, "_log_in", lambda *_: next(logins))
    monkeypatch.setattr(checks, "sessions", lambda *_: Sessions(200, {"report": Held(3, 3)}))
    monkeypatch.setattr(checks, "limit_of", lambda *_: 10)
    verdict = checks.ConnectionsSpare(account="report").verify(context(), BEFORE)
    assert verdict.outcome is outcome
    assert verdict.numbers["login_seconds"] == min(answers)
    if outcome is Outcome.FAILED:
        assert "a login took 4.900 s, not less than 1 s" in verdict.summary


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([29.0, 0.2], Outcome.PASSED),
        ([3.5] * TRIES, Outcome.FAILED),
        ([3.5, "failed: NOT_SUPPORTED: a join of UNNEST"], Outcome.FAILED),
    ],
)
def test_an_answer_of_trino_that_takes_more_than_three_seconds_each_time_does_not_pass(
    answers: list[float | str], outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter(answers)
    monkeypatch.setattr(trino_backlog_checks, "_ask", lambda *_: next(asked))
    monkeypatch.setattr(trino_backlog_checks, "queries", lambda _: [])
    verdict = trino_backlog_checks.QueriesServed().verify(context(), BEFORE)
    assert verdict.outcome is outcome
    if outcome is Outcome.FAILED:
        slow = "the answer to another user took 3.50 s, not less than 3 s"
        refused = "Trino answers, and a join of reporter failed: NOT_SUPPORTED: a join of UNNEST"
        assert (refused if isinstance(answers[-1], str) else slow) in verdict.summary


def test_a_login_that_is_turned_away_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    logins = iter([("error 1040", 2.0)])
    monkeypatch.setattr(checks, "_log_in", lambda *_: next(logins))
    monkeypatch.setattr(checks, "sessions", lambda *_: Sessions(200, {"report": Held(3, 3)}))
    monkeypatch.setattr(checks, "limit_of", lambda *_: 10)
    verdict = checks.ConnectionsSpare(account="report").verify(context(), BEFORE)
    assert verdict.outcome is Outcome.FAILED
