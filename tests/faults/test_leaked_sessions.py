"""A leak has landed once nobody else comes in, and the account holds most of what is taken."""

from pathlib import Path
from typing import Literal

import psycopg
import pymysql
import pytest

from lakeproof.processes import detached
from lakeproof.stack.database_sessions import Held, Sessions
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import account_limit, session_leak
from lakeproof_shop.scenarios.connection_saturation import faults as connection_saturation_faults
from lakeproof_shop.scenarios.connection_saturation.faults import LeakedSessions


@pytest.mark.parametrize(
    ("database", "report", "others", "holds"),
    [
        ("mysql", 190, 10, True),
        ("mysql", 189, 10, False),
        # Three places are kept for the superuser.
        ("postgres", 187, 10, True),
        ("postgres", 186, 10, False),
        ("postgres", 80, 120, False),
    ],
)
def test_it_has_landed_once_the_server_is_full_of_its_sessions(
    database: Literal["mysql", "postgres"],
    report: int,
    others: int,
    holds: bool,
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Sessions(200, {"report": Held(report, report), "others": Held(others, 0)})
    monkeypatch.setattr(connection_saturation_faults, "sessions", lambda *_: seen)
    assert connection_saturation_faults.LeakedSessions(database=database).sign(stack).holds is holds
    wanted = LeakedSessions(database=database, sessions=80)
    assert wanted.sign(stack).holds, "it wants no more than it has"
    wanted = LeakedSessions(database=database, sessions=report + 1)
    assert wanted.sign(stack).holds is holds, "one is missing, unless there is none left"


def test_the_account_has_its_limit_of_before_the_fault_again_whatever_a_repair_has_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault took an existing limit away for good, and the repair's limit outlived the drill."""
    stack, given = Stack(Settings(state_dir=tmp_path)), LeakedSessions()
    limits = {"report": 25}

    def set_limit(stack: Stack, server: str, account: str, sessions: int, seconds: float) -> None:
        limits[account] = sessions

    monkeypatch.setattr(account_limit, "limit", set_limit)
    monkeypatch.setattr(account_limit, "limit_of", lambda stack, server, account, seconds: limits[account])
    monkeypatch.setattr(detached, "start", lambda *_: None)
    monkeypatch.setattr(detached, "end", lambda *_: None)
    for _ in range(2):
        given.inject(stack)
        assert limits == {"report": 0}
    limits["report"] = 10
    given.remove(stack)
    assert limits == {"report": 25}
    limits["report"] = 40
    given.remove(stack)
    assert limits == {"report": 40}, "it is put back once"


def test_the_leak_goes_on_while_a_server_says_no_and_ends_with_a_server_that_is_gone() -> None:
    answers = [psycopg.errors.TooManyConnections(), pymysql.err.OperationalError(1040, "Too many connections")]
    silence = [psycopg.OperationalError("no answer"), pymysql.err.OperationalError(2003, "Can't connect")]
    assert [session_leak._is_answer(error) for error in (*answers, *silence)] == [True, True, False, False]


def test_the_leak_stops_at_what_it_wants_and_lives_on_while_the_server_leaves_it_that(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked of the server then, and for want of answers the leak would take it for gone."""
    opened: list[str] = []
    times = iter(range(0, 10_000, 50))
    looks = iter(range(10))

    def living(held: list[session_leak.Held]) -> list[session_leak.Held]:
        if next(looks) == 9:
            raise KeyboardInterrupt
        return held

    def open_one(stack: Stack, server: str, account: str) -> session_leak.Held:
        opened.append(account)
        return session_leak.Held(None, None)

    monkeypatch.setattr(session_leak, "_open", open_one)
    monkeypatch.setattr(session_leak, "_living", living)
    monkeypatch.setattr(
        "lakeproof_shop.scenarios.connection_saturation.session_leak.time.monotonic", lambda: float(next(times))
    )
    monkeypatch.setattr(
        "lakeproof_shop.scenarios.connection_saturation.session_leak.time.sleep", lambda seconds: None
    )
    with pytest.raises(KeyboardInterrupt):
        session_leak.leak(stack, "mysql", "report", 3)
    assert opened == ["report"] * 3
