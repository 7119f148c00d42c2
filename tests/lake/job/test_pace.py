"""The pace of checkpoints: asked for while rows come, left to Flink's own interval while none do."""

import itertools
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from tests.conftest import Answering

from lakeproof.errors import LakeproofError
from lakeproof.held_file import holder_of
from lakeproof.lake.job import asking as asking_module
from lakeproof.lake.job.asking import Asking, nobody_asks
from lakeproof.lake.job.flink_rest import FlinkRefused, FlinkRest, FlinkUnreachable, Job
from lakeproof.lake.job.pace import READ_SECONDS, CheckpointPace
from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES, Source
from lakeproof.stack.settings import LakeSettings, Settings
from lakeproof.stack.stack import Stack

PAUSE = 2.0


class Flink:
    """A JobManager whose checkpoints take `takes` seconds; `error`: of each question, `fails`: of each checkpoint.

    asked_at: when each checkpoint was asked for, by the test's clock.
    """

    def __init__(self, clock: Callable[[], float], job: str) -> None:
        self._clock, self.takes, self.asked_at = clock, 0.375, list[float]()
        self.job, self.state, self.is_whole, self.questions = job, "RUNNING", True, 0
        self.error: LakeproofError | None = None
        self.fails = False

    def jobs(self) -> list[Job]:
        self.questions += 1
        if self.error is not None:
            raise self.error
        mine = Job("j1", self.job, self.state, self.is_whole)
        return [Job("other", "a job", "RUNNING"), mine, Job("j2", self.job, "CANCELED")]

    def checkpoint(self, job_id: str) -> str:
        assert (job_id, self.state, self.is_whole) == ("j1", "RUNNING", True)
        assert not self.asked_at or self.fails or self._clock() - self.asked_at[-1] >= self.takes, "one at a time"
        self.asked_at.append(self._clock())
        return f"request {len(self.asked_at)}"

    def checkpoint_ended(self, job_id: str, request_id: str) -> bool:
        assert request_id == f"request {len(self.asked_at)}"
        if self.fails:
            raise FlinkRefused("it failed: no place")
        return self._clock() - self.asked_at[-1] >= self.takes


class World:
    """A clock that goes on by an eighth of a second with each look, a JobManager, and what was read of the topic."""

    def __init__(self, state_dir: Path, source: Source = OLTP) -> None:
        self.now = 100.0
        self.flink = Flink(self.clock, source.job)
        self.rows = SimpleNamespace(row_at=float("-inf"))
        self.stack = Stack(Settings(state_dir=state_dir))
        flink: Any = self.flink
        self.pace = CheckpointPace(self.stack, source, self.rows, Event(), flink=flink, clock=self.clock)

    def clock(self) -> float:
        return self.now

    def pass_by(self, seconds: float, *, rows: bool = False) -> None:
        """Look for so long; `rows`: they come all the while."""
        for _ in range(round(seconds * 8)):
            if rows:
                self.rows.row_at = self.now - 0.0625
            self.pace.look()
            self.now += 0.125


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def pauses(world: World) -> list[float]:
    """Between two checkpoints that were asked for."""
    asked = world.flink.asked_at
    return [later - one for one, later in itertools.pairwise(asked)]


def test_an_idle_source_is_left_to_flinks_own_interval(world: World) -> None:
    world.pass_by(60)
    assert world.flink.asked_at == []


def test_the_first_row_is_kept_at_once_and_the_others_at_the_wanted_pace(world: World) -> None:
    world.pass_by(30)
    came = world.now
    world.pass_by(20, rows=True)
    assert world.flink.asked_at[0] == came
    assert set(pauses(world)) == {PAUSE}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_row_that_the_first_checkpoint_may_miss_is_in_the_next_one_and_then_none_is_asked_for(
    tmp_path: Path, source: Source
) -> None:
    """By an earlier form no second one was asked for where the pause is as long as rows counted as new."""
    world = World(tmp_path, source)
    world.pass_by(0.125, rows=True)
    world.pass_by(100)
    first, second = world.flink.asked_at
    assert first - world.rows.row_at < READ_SECONDS <= second - world.rows.row_at
    assert second - first == source.checkpoint_seconds(world.stack)


def test_a_row_that_came_while_flink_was_away_is_kept_once_all_tasks_run_again(world: World) -> None:
    world.flink.state = "RESTARTING"
    world.pass_by(1, rows=True)
    world.pass_by(60)
    world.flink.state, world.flink.is_whole = "RUNNING", False
    world.pass_by(10)
    assert world.flink.asked_at == []
    world.flink.is_whole, back = True, world.now
    world.pass_by(30)
    # The first one may have begun before the job read anything.
    first, second = world.flink.asked_at
    assert first - back <= 1.0
    assert second - first == PAUSE


def test_a_job_is_not_stopped_while_a_checkpoint_is_asked_for(world: World) -> None:
    """An asker that looked whether the job is being stopped, and asked afterwards, could come too late."""
    stopped_at_once: list[bool] = []
    begin = world.flink.checkpoint

    def checkpoint(job_id: str) -> str:
        held = holder_of(world.stack.data_dir("flink-jobmanager") / "oltp-checkpoint.lock")
        stopped_at_once.append(held is None)
        return begin(job_id)

    world.flink.checkpoint = checkpoint  # type: ignore[method-assign]
    world.pass_by(5, rows=True)
    assert stopped_at_once == [False] * 3


def test_what_is_no_flink_is_told_and_nothing_more(world: World, answering: Answering) -> None:
    pages: list[object] = ["<html>sign in</html>", {"users": []}, {"jobs": [{"name": OLTP.job}]}]
    url = f"http://{answering(lambda *_: (200, pages[0]))}"
    while pages:
        asking = Asking(world.stack, FlinkRest(url), OLTP)
        asking.ask()
        assert asking.trouble.startswith("no checkpoint: ") and "no answer" not in asking.trouble
        assert asking.begun == 0
        pages.pop(0)


def test_a_job_is_whole_once_all_of_its_tasks_run_or_have_finished(answering: Answering) -> None:
    tasks = {"total": 3, "created": 0, "deploying": 0, "running": 2, "finished": 1, "initializing": 0}
    told = [tasks, tasks | {"running": 1, "initializing": 1}, None]
    jobs = [
        {"jid": str(number), "name": "a", "state": "RUNNING"} | ({"tasks": each} if each else {})
        for number, each in enumerate(told)
    ]
    found = FlinkRest(f"http://{answering(lambda *_: (200, {'jobs': jobs}))}").jobs()
    assert [job.is_whole for job in found] == [True, False, True]


def test_a_job_that_is_being_stopped_with_a_savepoint_is_not_asked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking_module, "ASKED_SECONDS", 0.1)
    with nobody_asks(world.stack, OLTP), nobody_asks(world.stack, OLTP):
        world.pass_by(30, rows=True)
    assert world.flink.asked_at == []
    world.pass_by(5, rows=True)
    assert len(world.flink.asked_at) == 3


def test_a_row_now_and_then_makes_no_more_checkpoints_than_the_pace(world: World) -> None:
    for _ in range(100):
        world.pass_by(0.125, rows=True)
        world.pass_by(0.25)
    assert min(pauses(world)) == PAUSE


def test_a_slow_checkpoint_is_waited_for_and_half_a_pause_is_kept_free_after_it(world: World) -> None:
    world.flink.takes = 5.0
    world.pass_by(40, rows=True)
    assert set(pauses(world)) == {6.0}


def test_through_an_outage_it_goes_on_asking_and_tells_of_it_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.flink.error = FlinkUnreachable("no answer", where="flink-jobmanager")
    world.pass_by(20, rows=True)
    assert world.flink.questions == 20  # once a second
    world.flink.error = None
    world.pass_by(10, rows=True)
    assert len(world.flink.asked_at) >= 4
    told = [record.getMessage() for record in caplog.records if record.name.endswith("pace")]
    assert told == [
        "lake-oltp makes fewer checkpoints than wanted: no checkpoint: no answer",
        "lake-oltp makes the checkpoints that it is asked for again",
    ]


def test_a_checkpoint_that_fails_is_told_once_and_followed_by_another_one_until_one_is_complete(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    world.flink.fails = True
    world.pass_by(0.125, rows=True)
    world.pass_by(30)
    # Each is seen to have failed at the look after it.
    assert pauses(world)[:2] == [2.125, 4.125]
    assert set(pauses(world)[2:]) == {OLTP.longest_pause_seconds(world.stack) + 0.125}
    world.flink.fails = False
    asked = len(world.flink.asked_at)
    world.pass_by(30)
    assert len(world.flink.asked_at) <= asked + 1
    # After one that was complete the next failure is the first again.
    asked, world.flink.fails = len(world.flink.asked_at), True
    world.pass_by(0.125, rows=True)
    world.pass_by(4)
    assert pauses(world)[asked:][0] == 2.125
    world.flink.fails = False
    world.pass_by(30)
    assert [record.getMessage() for record in caplog.records if record.name.endswith("pace")] == [
        "lake-oltp makes fewer checkpoints than wanted: no checkpoint: it failed: no place",
        "lake-oltp makes the checkpoints that it is asked for again",
    ] * 2


def test_a_row_that_comes_while_a_checkpoint_is_made_is_in_a_later_one(world: World) -> None:
    world.flink.takes = 8.0
    world.pass_by(1, rows=True)
    world.pass_by(2)
    world.pass_by(0.125, rows=True)
    world.pass_by(100)
    # That row came 3 s after the first one began, and 5 s before it was complete.
    assert len(world.flink.asked_at) == 2
    assert world.flink.asked_at[1] >= world.rows.row_at + READ_SECONDS


def test_who_waits_is_told_of_a_checkpoint_that_failed_before_another_one_is_asked_for(world: World) -> None:
    flink: Any = world.flink
    asking = Asking(world.stack, flink, OLTP)
    asking.ask()
    world.flink.fails = True
    asking.ask()
    assert (asking.trouble, asking.begun) == ("no checkpoint: it failed: no place", 1)
    asking.ask()
    assert (asking.trouble, asking.begun) == ("", 2)


@pytest.mark.parametrize(
    ("source", "given", "longest"),
    [
        (OLTP, {}, 5.0),
        (SHOP, {}, 20.0),
        (OLTP, {"idle_checkpoint_seconds": 0.5}, 2.0),
        (OLTP, {"checkpoint_seconds": 30}, 30.0),
        (SHOP, {"shop_idle_checkpoint_seconds": 40}, 40.0),
    ],
)
def test_the_longest_pause_is_never_less_than_the_wanted_one(
    tmp_path: Path, source: Source, given: dict[str, float], longest: float
) -> None:
    stack = Stack(Settings(state_dir=tmp_path, lake=LakeSettings.model_validate(given)))
    assert source.longest_pause_seconds(stack) == longest
