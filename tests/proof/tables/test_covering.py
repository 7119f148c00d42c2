"""Which published state covers a moment, also when the clock was set back meanwhile."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from tests.published_commit import published_commit

from lakeproof.errors import CouldNotLook
from lakeproof.lake.job.asking import Asking
from lakeproof.lake.publish.commit import DatabaseState, PublishedCommit, covers
from lakeproof.lake.publish.history import NothingPublished
from lakeproof.lake.sources.source import OLTP, SHOP, Source
from lakeproof.processes.supervisor import Supervisor
from lakeproof.proof.notes import Notes
from lakeproof.proof.tables import covering
from lakeproof.proof.tables.covering import Covering
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

SECOND = 1_000_000
NOW = 1_000 * SECOND


def test_a_beat_of_the_moment_or_after_it_covers_it() -> None:
    assert covers(NOW, NOW, NOW)
    assert covers(NOW - 2, NOW - 3, NOW)
    assert not covers(NOW - 4, NOW - 3, NOW)
    assert not covers(None, NOW - 3, NOW)


def test_a_beat_of_before_the_clock_was_set_back_covers_nothing() -> None:
    assert not covers(NOW + 60 * SECOND, NOW, NOW)


def test_check_requires_nothing_by_a_beat_that_is_still_to_come_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(covering, "now_us", lambda: NOW)
    notes = Notes(lambda text: None)
    covering_ = Covering(Stack(Settings(name="none")), notes, 0.0)
    assert covering_.cut(NOW - SECOND) == NOW - SECOND
    assert notes.unknown == []
    assert covering_.cut(NOW + 60 * SECOND) == 0
    assert [reason for reason in notes.unknown if "60.0 s ahead" in reason and "set back" in reason]


def test_check_waits_for_a_state_of_after_the_step(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def commit(name: str, beat_us: int) -> PublishedCommit:
        now = datetime.now(UTC)
        return published_commit(name, now, 7, "0-1-2", beat_us, {}, now)

    states = iter([commit("old", NOW + 60 * SECOND), commit("late", NOW - SECOND), commit("new", NOW)])
    monkeypatch.setattr(covering, "now_us", lambda: NOW)
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", lambda stack: next(states))
    found = Covering(stack, Notes(lambda text: None), 30.0).first(NOW, [OLTP])
    assert found is not None and found.hash == "new"


def of_beat(name: str, beat_us: int) -> PublishedCommit:
    now = datetime.now(UTC)
    return published_commit(name, now, 7, "0-1-2", beat_us, {}, now)


def a_running_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time it is read it is 1.5 s later than before, and NOW at first."""
    clock = count(NOW, 3 * SECOND // 2)
    monkeypatch.setattr(covering, "now_us", lambda: next(clock))


def test_a_state_of_before_the_clock_was_set_back_is_not_taken_when_the_clock_has_caught_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake stood still, two seconds ahead. Within two seconds its stale hash covered now, and what was
    acknowledged in the repeated seconds was called lost.
    """
    stale = of_beat("stale", NOW + 2 * SECOND)
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", lambda stack: stale)
    a_running_clock(monkeypatch)
    notes = Notes(lambda text: None)
    waits = Covering(Stack(Settings(mode="external", state_dir=tmp_path)), notes, 1.5)
    assert waits.first(NOW, [OLTP]) == stale
    (reason,) = notes.unknown
    assert "nothing published within 2 s covers now" in reason and "ago and was ahead of the clock" in reason
    # Nor is anything required of the lake by that heartbeat, or a further look taken at it.
    assert waits.cut(stale.plain.beat_us) == 0
    assert "the clock was set back" in notes.unknown[-1]
    with pytest.raises(CouldNotLook, match="covers now"):
        replace(waits, seconds=0.0).awaited(NOW, OLTP)


def test_the_first_state_of_after_the_step_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([*[of_beat("stale", NOW + 2 * SECOND)] * 3, of_beat("new", NOW + SECOND)])
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", lambda stack: next(looks))
    a_running_clock(monkeypatch)
    notes = Notes(lambda text: None)
    waits = Covering(Stack(Settings(mode="external", state_dir=tmp_path)), notes, 30.0)
    found = waits.first(NOW, [OLTP])
    assert found is not None and (found.hash, notes.unknown) == ("new", [])
    assert waits.cut(found.plain.beat_us) == NOW + SECOND


def test_check_waits_until_every_captured_database_is_covered(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It once looked at a hash that covered MariaDB's tables alone, and passed over damage in a table of PostgreSQL
    that this hash did not hold yet.
    """

    def commit(name: str, shop_beat_us: int | None) -> PublishedCommit:
        now = datetime.now(UTC)
        others = {} if shop_beat_us is None else {SHOP.name: DatabaseState(3, "9", shop_beat_us, {}, now)}
        return published_commit(name, now, 7, "0-1-2", NOW, {}, now, others)

    states = [commit("before it is published", None), commit("before the look", NOW - SECOND), commit("after", NOW)]
    monkeypatch.setattr(covering, "now_us", lambda: NOW)
    monkeypatch.setattr(
        "lakeproof.lake.publish.history.newest", lambda stack: states.pop(0) if states[1:] else states[0]
    )
    notes = Notes(lambda text: None)
    found = Covering(stack, notes, 30.0).first(NOW, [OLTP, SHOP])
    assert found is not None and (found.hash, notes.unknown) == ("after", [])
    states[:] = [commit("before the look", NOW - SECOND)]
    found = Covering(stack, notes, 0.0).first(NOW, [OLTP, SHOP])
    assert found is not None and found.hash == "before the look"
    assert notes.unknown == ["lake: nothing published of shop within 0 s covers now (1.0 s ago)"]


def test_check_waits_for_the_first_state_of_a_new_stack(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It once said "nothing was published yet" at once, and was unknown, half a second before the first one."""
    now = datetime.now(UTC)
    looks: list[NothingPublished | PublishedCommit] = [
        NothingPublished("nothing was published yet"),
        published_commit("new", now, 7, "0-1-2", NOW, {}, now),
    ]

    def newest(stack: Stack) -> PublishedCommit:
        found = looks.pop(0)
        if isinstance(found, NothingPublished):
            raise found
        return found

    monkeypatch.setattr(covering, "now_us", lambda: NOW)
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", newest)
    notes = Notes(lambda text: None)
    found = Covering(stack, notes, 30.0).first(NOW, [OLTP])
    assert found is not None and (found.hash, notes.unknown) == ("new", [])


@pytest.mark.parametrize("database", [OLTP, SHOP], ids=lambda one: one.name)
def test_check_waits_until_all_tables_were_read_for_the_first_time(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, database: Source
) -> None:
    """Until then the heartbeat in a state is a row that was read like all others, and tells of no transaction."""

    def commit(name: str, gtid: str | None) -> PublishedCommit:
        now = datetime.now(UTC)
        of_oltp, of_shop = (gtid if each == database else "9" for each in (OLTP, SHOP))
        return published_commit(
            name, now, 7, of_oltp, NOW, {}, now, {SHOP.name: DatabaseState(3, of_shop, NOW, {}, now)}
        )

    states = [commit("being read", None), commit("read", "0-1-2")]
    monkeypatch.setattr(covering, "now_us", lambda: NOW)
    monkeypatch.setattr(
        "lakeproof.lake.publish.history.newest", lambda stack: states.pop(0) if states[1:] else states[0]
    )
    notes = Notes(lambda text: None)
    found = Covering(stack, notes, 30.0).first(NOW, [OLTP, SHOP])
    assert found is not None and (found.hash, notes.unknown) == ("read", [])
    states[:] = [commit("being read", None)]
    assert Covering(stack, notes, 0.0).first(NOW, [OLTP, SHOP]) is not None
    (reason,) = notes.unknown
    assert f"nothing published{database.of} within" in reason and "are being read for the first time" in reason


def test_the_jobs_of_all_databases_that_are_late_are_asked_for_checkpoints_and_of_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a job that keeps to its idle pace the next one may be 20 s away, and what nobody asks for comes late."""
    asked: list[str] = []

    def ask(asking: Asking) -> None:
        asked.append(asking.source.name)
        asking.begun += 1
        asking.trouble = "no checkpoint: it is slow"

    monkeypatch.setattr(covering, "FIRST_ASKED_SECONDS", 0.1)
    monkeypatch.setattr(covering, "ASKED_EVERY_SECONDS", 0.1)
    monkeypatch.setattr(Asking, "ask", ask)

    def newest(stack: Stack) -> PublishedCommit:
        now = datetime.now(UTC)
        shop_beat_us = NOW if asked.count(SHOP.name) > 2 else NOW - SECOND
        others = {SHOP.name: DatabaseState(3, "9", shop_beat_us, {}, now)}
        return published_commit("a", now, 7, "0-1-2", NOW if asked else NOW - SECOND, {}, now, others)

    monkeypatch.setattr(covering, "now_us", lambda: NOW)
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", newest)
    notes = Notes(lambda text: None)
    assert Covering(Stack(Settings(state_dir=tmp_path)), notes, 30.0).first(NOW, [OLTP, SHOP]) is not None
    assert notes.unknown == []
    assert asked == [OLTP.name, SHOP.name, SHOP.name, SHOP.name]
    # Where nobody publishes, checkpoints without end would push the snapshots of promised hashes out of the lake.
    asked.clear()
    monkeypatch.setattr(covering, "now_us", lambda: NOW + SECOND)
    assert Covering(Stack(Settings(state_dir=tmp_path)), notes, 5.0).first(NOW + SECOND, [OLTP]) is not None
    assert asked == [OLTP.name] * covering.MOST_ASKED
    assert notes.unknown == ["lake: nothing published within 5 s covers now (1.0 s ago; no checkpoint: it is slow)"]


def test_the_job_of_somebody_elses_stack_is_not_asked_for_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(asking: object) -> None:
        raise AssertionError("asked")

    def newest(stack: Stack) -> PublishedCommit:
        now = datetime.now(UTC)
        return published_commit("old", now, 7, "0-1-2", NOW - SECOND, {}, now)

    monkeypatch.setattr(covering, "FIRST_ASKED_SECONDS", 0.0)
    monkeypatch.setattr(Asking, "ask", ask)
    monkeypatch.setattr(covering, "now_us", lambda: NOW)
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", newest)
    notes = Notes(lambda text: None)
    stack = Stack(Settings(mode="external", state_dir=tmp_path))
    assert Covering(stack, notes, 0.7).first(NOW, [OLTP]) is not None
    assert len(notes.unknown) == 1


def test_a_stack_that_publishes_nothing_in_time_is_unknown(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def newest(stack: Stack) -> PublishedCommit:
        raise NothingPublished("nothing was published yet")

    monkeypatch.setattr("lakeproof.lake.publish.history.newest", newest)
    notes = Notes(lambda text: None)
    assert Covering(stack, notes, 0.0).first(NOW, [OLTP]) is None
    assert notes.unknown == ["lake: nothing published within 0 s covers now (nothing is published yet)"]


def test_one_silence_of_nessie_is_waited_through_and_told_only_where_it_lasts(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once made the whole check unknown."""
    now = datetime.now(UTC)
    looks: list[CouldNotLook | PublishedCommit] = [
        published_commit("old", now, 7, "0-1-2", NOW - SECOND, {}, now),
        CouldNotLook("no answer: ReadTimeout", where="nessie"),
        published_commit("new", now, 8, "0-1-2", NOW, {}, now),
        CouldNotLook("no answer: ConnectError", where="nessie"),
    ]

    def newest(stack: Stack) -> PublishedCommit:
        found = looks.pop(0)
        if isinstance(found, CouldNotLook):
            raise found
        return found

    monkeypatch.setattr(covering, "now_us", lambda: NOW)
    monkeypatch.setattr("lakeproof.lake.publish.history.newest", newest)
    # The supervisor was killed; what it had started runs on.
    monkeypatch.setattr(Supervisor, "left_over", lambda _: ["nessie (pid 7)"])
    said: list[str] = []
    notes = Notes(said.append)
    found = Covering(stack, notes, 30.0).first(NOW, [OLTP])
    assert found is not None and (found.hash, notes.unknown) == ("new", [])
    assert ["what the newest hash covers" in text for text in said] == [True, False]
    assert "nothing is published" not in said[1] and "ReadTimeout" in said[1]
    assert Covering(stack, notes, 0.0).first(NOW, [OLTP]) is None
    assert [reason for reason in notes.unknown if "ConnectError" in reason] == notes.unknown != []


def test_on_a_stack_that_does_not_run_nothing_is_waited_for(tmp_path: Path) -> None:
    notes = Notes(lambda text: pytest.fail(f"it waits: {text}"))
    assert Covering(Stack(Settings(state_dir=tmp_path, port_shift=20900)), notes, 60.0).first(NOW, [OLTP]) is None
    assert notes.unknown == ["lake: the stack is not running. Next: lakeproof up"]
