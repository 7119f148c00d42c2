"""A job is stopped once it has ended, and not when its savepoint lies there."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from lakeproof.errors import DeadlineExpired
from lakeproof.held_file import holder_of
from lakeproof.lake.job import submission
from lakeproof.lake.job.flink_rest import ALIVE, ENDING, Job
from lakeproof.lake.sources.source import OLTP, Source
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Flink:
    """A job that has made its savepoint at once. states: of the job then, look by look; the last one stays."""

    def __init__(self, *states: str) -> None:
        self.states = [*states]

    def jobs(self) -> list[Job]:
        return [Job("a", OLTP.job, "RUNNING")]

    def is_there(self, job_id: str) -> bool:
        assert job_id == "a"
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return state in ALIVE | ENDING

    def stop_with_savepoint(self, job_id: str, directory: str) -> str:
        return "asked"

    def savepoint(self, job_id: str, request: str) -> str:
        return "s3://savepoint"


@pytest.mark.parametrize("last", ["FINISHED", "FAILED"])
def test_a_job_that_runs_on_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    flink = Flink("RUNNING", "FAILING", last)
    monkeypatch.setattr(submission, "rest_of", lambda stack: flink)
    assert submission.stop_with_savepoint(Stack(Settings(state_dir=tmp_path)), OLTP, 5.0) == "s3://savepoint"
    assert flink.states == [last]


@pytest.mark.parametrize("stop", [submission.stop_with_savepoint, submission.end_job])
def test_nobody_asks_for_a_checkpoint_until_it_has_ended_or_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: Callable[[Stack, Source, float], object]
) -> None:
    stack, held = Stack(Settings(state_dir=tmp_path)), list[bool]()

    class Looked(Flink):
        def is_there(self, job_id: str) -> bool:
            held.append(holder_of(stack.data_dir("flink-jobmanager") / "oltp-checkpoint.lock") is not None)
            return super().is_there(job_id)

        def cancel(self, job_id: str) -> None:
            held.append(holder_of(stack.data_dir("flink-jobmanager") / "oltp-checkpoint.lock") is not None)

    monkeypatch.setattr(submission, "rest_of", lambda stack: Looked("RUNNING"))
    with suppress(DeadlineExpired):
        stop(stack, OLTP, 0.1)
    assert len(held) >= 2 and all(held)
    assert holder_of(stack.data_dir("flink-jobmanager") / "oltp-checkpoint.lock") is None


def test_one_that_does_not_end_is_not_called_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "rest_of", lambda stack: Flink("RESTARTING"))
    with pytest.raises(DeadlineExpired, match="lake-oltp to end"):
        submission.stop_with_savepoint(Stack(Settings(state_dir=tmp_path)), OLTP, 0.1)
