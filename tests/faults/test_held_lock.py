"""A lock that everybody waits for has landed once the server is full of those that wait."""

from pathlib import Path

import pytest

from lakeproof.arguments import Arguments
from lakeproof.errors import CouldNotLook
from lakeproof.faults import held_lock
from lakeproof.faults.fault import Sign
from lakeproof.processes import detached
from lakeproof.stack.database_locks import Blocker
from lakeproof.stack.database_sessions import Held, NoneLeft, Sessions
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


@pytest.mark.parametrize(
    ("waiting", "taken", "holds"), [(180, 195, True), (90, 195, False), (150, 170, False), (None, 195, False)]
)
def test_it_has_landed_once_most_sessions_wait_and_none_is_left(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, waiting: int | None, taken: int, holds: bool
) -> None:
    found = None if waiting is None else Blocker(7, "root", waiting, 9.0)
    monkeypatch.setattr(held_lock, "blocker", lambda *_: found)
    monkeypatch.setattr(held_lock, "sessions", lambda *_: Sessions(200, {"report": Held(taken, 0)}))
    assert held_lock.sign(stack, Arguments()).holds is holds


def test_where_the_administrator_has_no_place_it_is_looked_at_again(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*_: object) -> Blocker:
        raise NoneLeft("no session is left for root", where="mysql")

    assert issubclass(NoneLeft, CouldNotLook)
    monkeypatch.setattr(held_lock, "blocker", none_left)
    assert held_lock.sign(stack, Arguments()) == Sign(False, "no session is left for root")


def test_a_limit_that_an_earlier_repair_has_set_is_taken_away(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    monkeypatch.setattr(held_lock, "limit", lambda _, *rest: done.append(rest))
    monkeypatch.setattr(detached, "start", lambda _, *rest: done.append(rest))
    held_lock.inject(stack, Arguments())
    assert done == [("mysql", "report", 0, 5.0), ("held_lock", "lakeproof.faults.lock_holder")]
