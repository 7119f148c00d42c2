"""What the probes make of a server's sessions, and of a server that has none left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.probes import sessions as probes
from lakeproof.stack import database_sessions
from lakeproof.stack.database_sessions import Held, Sessions
from lakeproof.stack.database_sessions import Server as Server_
from lakeproof.stack.engines.sessions import Blocker, NoneLeft
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import repairs
from lakeproof_shop.scenarios.connection_saturation.repairs import EndIdleSessions

FULL = Sessions(200, {"order_service": Held(5, 5), "report": Held(195, 195)})


def test_the_accounts_are_told_with_their_idle_sessions(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "sessions", lambda *_: FULL)
    assert probes.taken(stack, 1.0, "mysql") == 100.0
    assert probes.idle_share(stack, 1.0, "mysql") == 97.5
    told = "report: 195, 195 of them idle; order_service: 5, 5 of them idle"
    assert probes.by_account(stack, 1.0, "mysql") == told


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([], "nobody"),
        ([(7, "report", 0.4, "SELECT 1")], "nobody"),
        ([(7, "report", 340.2, "select * FROM orders WHERE name = 'Le'")], "report, session 7, for 340 s: SELECT"),
        ([(8, "root", 2, " /* don't */ -- not\n ALTER USER x BY 'y'")], "root, session 8, for 2 s: ALTER"),
        ([(9, "root", 2, "'secret")], "root, session 9, for 2 s: no word"),
        ([(9, "root", 2, "/* a */" * 40 + "(SELECT 1)")], "root, session 9, for 2 s: no word"),
        ([(9, "root", 2, "/* secret")], "root, session 9, for 2 s: no word"),
    ],
)
@pytest.mark.parametrize("server", ["mysql", "postgres"])
def test_what_runs_for_the_longest_is_told_by_its_first_word_alone(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, server: Server_, rows: list[tuple[Any, ...]], told: str
) -> None:
    answer_as(monkeypatch, lambda statement: rows)
    assert probes.longest(stack, 1.0, server) == told


def test_none_left_reads_as_all_taken_and_no_answer_as_none(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> Sessions:
        raise NoneLeft("none", where="mysql")

    def no_answer(*_: object) -> Sessions:
        raise CouldNotLook("down", where="mysql")

    monkeypatch.setattr(probes, "sessions", none_left)
    assert probes.taken(stack, 1.0, "mysql") == 100.0
    monkeypatch.setattr(probes, "sessions", no_answer)
    with pytest.raises(CouldNotLook):
        probes.taken(stack, 1.0, "mysql")


def test_the_leaking_account_is_limited_first_and_nobody_elses_sessions_end(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[object, ...]] = []
    monkeypatch.setattr(repairs, "sessions", lambda *_: FULL)
    monkeypatch.setattr(repairs, "limit_of", lambda *_: 0)
    monkeypatch.setattr(repairs, "limit", lambda _, *rest: done.append(("limit", *rest)))

    def end_idle(_: Stack, *rest: object) -> int:
        done.append(("end", *rest))
        return 195

    monkeypatch.setattr(repairs, "end_idle", end_idle)
    monkeypatch.setattr(repairs, "idle_in_transaction", lambda *_: 0)
    said = repairs.EndIdleSessions().run(stack)
    assert done == [("limit", "mysql", "report", 10, 10.0), ("end", "mysql", "report", 10.0)]
    assert "ended 195 idle sessions of report" in said and "WITH MAX_USER_CONNECTIONS 0" in said


def answer_as(monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], list[tuple[Any, ...]]]) -> list[str]:
    """Both servers answer so; what they were asked."""
    asked: list[str] = []

    @contextmanager
    def session(*_: object) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
        def ask(statement: str, *values: object) -> list[tuple[Any, ...]]:
            asked.append(statement)
            return answer(statement)

        yield ask

    for engine in database_sessions.ENGINES.values():
        monkeypatch.setattr(engine, "session", session)
    return asked


class Server:
    """One account's limit, and its idle sessions: `idle` that can be ended, `open` within a transaction."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, limit: int = 0, idle: int = 195, open_: int = 0) -> None:
        self.limit, self.idle, self.open = limit, idle, open_
        monkeypatch.setattr(repairs, "sessions", lambda *_: Sessions(200, {"report": Held(195, 195)}))
        monkeypatch.setattr(repairs, "limit_of", lambda *_: self.limit)
        monkeypatch.setattr(repairs, "limit", self.set_limit)
        monkeypatch.setattr(repairs, "end_idle", lambda *_: self.idle)
        monkeypatch.setattr(repairs, "idle_in_transaction", lambda *_: self.open)

    def set_limit(self, stack: Stack, server: str, account: str, sessions: int, seconds: float) -> None:
        self.limit = sessions


def test_a_repeat_tells_the_way_back_to_the_limit_of_before_the_first(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run read the limit that the first had set, and told that one as the way back."""
    server = Server(monkeypatch, limit=25)
    for given in (10, 10, 5, 5):
        assert "CONNECTIONS 25)" in repairs.EndIdleSessions(limit=given).run(stack)
        assert server.limit == given
    server.limit = 40  # somebody else's
    assert "CONNECTIONS 40)" in repairs.EndIdleSessions().run(stack)


def test_an_account_of_any_name_may_be_named_and_its_limit_of_before_is_kept(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(monkeypatch, limit=25)
    for given in (10, 5):
        arguments = EndIdleSessions(database="postgres", account="../bi-reader", limit=given)
        assert '"../bi-reader" CONNECTION LIMIT 25)' in arguments.run(stack)
        assert server.limit == given
    assert [each.name for each in stack.data_dir("session-limits").iterdir()] == ["postgres-..%2Fbi-reader.json"]


def test_sessions_that_are_idle_within_a_transaction_are_not_ended_and_that_fails_where_they_leak(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    Server(monkeypatch, idle=0, open_=195)
    with pytest.raises(TerminalError, match=r"195 are idle within a transaction.*rolls back") as failed:
        repairs.EndIdleSessions().run(stack)
    assert "undo: ALTER USER" in failed.value.message
    Server(monkeypatch, idle=150, open_=3)
    assert "3 are idle within a transaction" in repairs.EndIdleSessions().run(stack)


def test_where_nobody_leaks_nobody_is_limited(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairs, "sessions", lambda *_: Sessions(200, {"report": Held(9, 9)}))
    monkeypatch.setattr(repairs, "limit", lambda *_: pytest.fail("limited"))
    assert "nobody's are ended" in repairs.EndIdleSessions().run(stack)


@pytest.mark.parametrize(
    ("database", "account"),
    [("mysql", "order_service"), ("mysql", "root"), ("postgres", "payment_service"), ("postgres", "postgres")],
)
def test_the_account_of_a_component_is_never_limited(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, database: str, account: str
) -> None:
    monkeypatch.setattr(repairs, "limit", lambda *_: pytest.fail("limited"))
    monkeypatch.setattr(repairs, "limit_of", lambda *_: 0)
    monkeypatch.setattr(repairs, "end_idle", lambda *_: pytest.fail("ended"))
    monkeypatch.setattr(repairs, "sessions", lambda *_: Sessions(200, {account: Held(150, 150)}))
    named, found = ({"database": database, "account": account}, {"database": database})
    for given in (named, found):
        with pytest.raises(InvalidInput, match=f"{account} is the account of a component"):
            EndIdleSessions.model_validate(given).run(stack)
    with pytest.raises(InvalidInput):
        EndIdleSessions.model_validate(named).typed(stack)


def test_who_keeps_others_waiting_is_told_and_ended_alone(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[object] = []
    found: list[Blocker | None] = [None]
    for module in (probes, repairs):
        monkeypatch.setattr(module, "blocker", lambda *_: found[0])

    def end_session(_: Stack, *rest: object) -> bool:
        ended.append(rest)
        return True

    monkeypatch.setattr(repairs, "end_session", end_session)
    assert (probes.lock_waiters(stack, 1.0, "mysql"), probes.who_blocks(stack, 1.0, "mysql")) == (0, "nobody")
    assert "none is ended" in repairs.EndBlockingSession().run(stack)
    found[0] = Blocker(41, "root", 187, 31.4)
    assert probes.lock_waiters(stack, 1.0, "mysql") == 187
    assert probes.who_blocks(stack, 1.0, "mysql") == "session 41 of root: 187 wait, 31 s the longest"
    assert "ended session 41 of root; 187 sessions waited for it" in repairs.EndBlockingSession().run(stack)
    assert ended == [("mysql", 41, 10.0)]
    assert repairs.EndBlockingSession(session=7).typed(stack) == "KILL CONNECTION 7"


@pytest.mark.parametrize("server", database_sessions.ENGINES)
def test_a_session_that_a_person_names_is_said_to_have_ended_only_where_it_was_there(
    stack: Stack, server: database_sessions.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_as(monkeypatch, lambda statement: [(False,)] if "pg_terminate" in statement else [])
    gone = repairs.EndBlockingSession(database=server, session=999).run(stack)
    assert gone == "session 999 had ended already"
    answer_as(
        monkeypatch, lambda statement: [(True,)] if "pg_terminate" in statement or "SELECT 1" in statement else []
    )
    ended = repairs.EndBlockingSession(database=server, session=41).run(stack)
    assert ended == "ended session 41"


def test_a_session_that_a_person_names_is_spared_where_it_is_our_own_repair(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = (41, "User lock", "MDL_SHARED_NO_WRITE", 9.0, "lakeproof 41", "")
    shown: dict[database_sessions.Server, Callable[[str], list[tuple[Any, ...]]]] = {
        "postgres": lambda statement: [(True,)],
        "mysql": lambda statement: [lock] if "thread_id" in statement else [(1,)],
    }
    for server, answer in shown.items():
        asked = answer_as(monkeypatch, answer)
        with pytest.raises(TerminalError, match="session 41 is a repair of Lakeproof"):
            repairs.EndBlockingSession(database=server, session=41).run(stack)
        assert not [one for one in asked if "KILL" in one or "terminate" in one]


@pytest.mark.parametrize("server", database_sessions.ENGINES)
def test_the_account_of_people_may_be_limited_in_both_servers_and_no_component_s(
    stack: Stack, server: database_sessions.Server
) -> None:
    """It is the one that the drills have leak."""
    own = database_sessions.own_accounts(stack, server)
    assert "report" not in own
    assert {"mysql": "order_service", "postgres": "payment_service"}[server] in own
