"""`lake publish`: a state that holds what is committed now, asked for, waited for, and not claimed."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.published_commit import published_commit

from lakeproof.errors import LakeproofError, TransientError
from lakeproof.lake.job.flink_rest import FlinkRefused, Job
from lakeproof.lake.publish import history, now
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.now import NotPublished, publish_now
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def published(age_seconds: float) -> PublishedCommit:
    """With a newest heartbeat of that age."""
    at = datetime.now(UTC)
    return published_commit("ab12", at, 7, "0-1-2", int((time.time() - age_seconds) * 1e6), {"orders": 1}, at)


class Flink:
    """A JobManager that counts what it is asked for. `job`: None where none runs; `error`: of each checkpoint.

    slow: a checkpoint does not end.
    """

    def __init__(self) -> None:
        self.asked, self.slow, self.job = 0, False, Job("j1", OLTP.job, "RUNNING")
        self.error: LakeproofError | None = None

    def jobs(self) -> list[Job]:
        return [self.job] if self.job else []

    def checkpoint(self, job_id: str) -> str:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return f"request {self.asked}"

    def checkpoint_ended(self, job_id: str, request_id: str) -> bool:
        assert (job_id, request_id) == ("j1", f"request {self.asked}")
        return not self.slow


@pytest.fixture
def flink(monkeypatch: pytest.MonkeyPatch) -> Flink:
    made = Flink()
    monkeypatch.setattr(now, "rest_of", lambda stack, seconds: made)
    monkeypatch.setattr(now, "ASKED_EVERY_SECONDS", 0.3)
    return made


@pytest.fixture
def shows(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], PublishedCommit]], None]:
    """`shows(look)`: what Nessie answers with."""
    return lambda look: monkeypatch.setattr(history, "newest", lambda stack: look())


STACK = Stack(Settings())


def test_an_older_state_is_not_taken_and_checkpoints_are_asked_for_until_a_new_one_comes(
    flink: Flink, shows: Callable[[Callable[[], PublishedCommit]], None]
) -> None:
    began = time.time()
    shows(lambda: published(0 if time.time() - began > 0.8 else 5))
    assert publish_now(STACK, OLTP, 20).hash == "ab12"
    assert flink.asked >= 2


def test_what_is_not_published_in_time_is_an_error_that_says_how_far_it_is(
    flink: Flink, shows: Callable[[Callable[[], PublishedCommit]], None]
) -> None:
    old = published(5)
    shows(lambda: old)
    flink.error = FlinkRefused("too many checkpoints", where="flink-jobmanager")
    with pytest.raises(NotPublished, match=r"it lacks 5\.\d s; no checkpoint: .*too many checkpoints"):
        publish_now(STACK, OLTP, 1)


def test_nothing_published_and_no_job_are_told(
    flink: Flink, shows: Callable[[Callable[[], PublishedCommit]], None]
) -> None:
    def nothing() -> PublishedCommit:
        raise history.NothingPublished("main is empty")

    shows(nothing)
    flink.job = None  # type: ignore[assignment]
    with pytest.raises(NotPublished, match=f"nothing is published; {OLTP.job} does not run"):
        publish_now(STACK, OLTP, 1)


def test_a_checkpoint_that_still_runs_is_not_asked_for_again(
    flink: Flink, shows: Callable[[Callable[[], PublishedCommit]], None]
) -> None:
    old = published(5)
    shows(lambda: old)
    flink.slow = True
    with pytest.raises(NotPublished):
        publish_now(STACK, OLTP, 1.5)
    assert flink.asked == 1


def test_a_heartbeat_ahead_of_the_clock_is_no_proof(
    flink: Flink, shows: Callable[[Callable[[], PublishedCommit]], None]
) -> None:
    shows(lambda: published(-3600))
    with pytest.raises(NotPublished, match="s ahead of this machine's clock"):
        publish_now(STACK, OLTP, 1)


def test_a_heartbeat_that_was_ahead_is_no_proof_when_the_clock_has_caught_up_with_it(
    flink: Flink, shows: Callable[[Callable[[], PublishedCommit]], None]
) -> None:
    """The lake stood still when the clock was set back: its old state was taken for one that holds everything."""
    stale = published(-0.5)
    shows(lambda: stale)
    with pytest.raises(NotPublished, match="its heartbeat was ahead of this machine's clock, which was set back"):
        publish_now(STACK, OLTP, 1.5)
    began = time.time()
    shows(lambda: published(0) if time.time() - began > 1.0 else stale)
    stale = published(-0.5)
    assert publish_now(STACK, OLTP, 20) != stale


def test_a_nessie_that_is_silent_for_a_moment_is_asked_again(
    flink: Flink, shows: Callable[[Callable[[], PublishedCommit]], None]
) -> None:
    began = time.time()

    def look() -> PublishedCommit:
        if time.time() - began < 0.5:
            raise TransientError("no answer", where="nessie")
        return published(0)

    shows(look)
    assert publish_now(STACK, OLTP, 20).hash == "ab12"
