"""A job is stopped once it has ended, and not when its savepoint lies there. Nor does it run once it is accepted."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.conftest import Answering

from lakeproof.errors import DeadlineExpired, NotReady
from lakeproof.held_file import holder_of
from lakeproof.lake.job import submission
from lakeproof.lake.job.flink_rest import ALIVE, ENDING, FlinkRefused, Job, rest_of
from lakeproof.lake.sources.source import OLTP, Source
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.flink_restarts import repairs

type Accepting = Callable[[list[str], int], Stack]


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
    stack: Stack, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    flink = Flink("RUNNING", "FAILING", last)
    monkeypatch.setattr(submission, "rest_of", lambda stack: flink)
    assert submission.stop_with_savepoint(stack, OLTP, 5.0) == "s3://savepoint"
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


def test_one_that_does_not_end_is_not_called_stopped(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "rest_of", lambda stack: Flink("RESTARTING"))
    with pytest.raises(DeadlineExpired, match="lake-oltp to end"):
        submission.stop_with_savepoint(stack, OLTP, 0.1)


@pytest.fixture
def accepting(tmp_path: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch) -> Accepting:
    """`accepting(states, taskmanagers)`: a stack whose JobManager has accepted job "b", and then tells these states,
    one for each look; the last one stays.
    """

    def start(states: list[str], taskmanagers: int) -> Stack:
        def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
            told = {
                "/jobs/overview": {"jobs": []},
                "/overview": {"taskmanagers": taskmanagers},
                "/jobs/b/exceptions": {"root-exception": "Caused by: Cannot map operator"},
            }
            if path == "/jobs/b":
                return 200, {"state": states.pop(0) if len(states) > 1 else states[0]}
            return 200, told[path]

        return Stack(Settings(state_dir=tmp_path, endpoints={"flink-jobmanager": {"http": answering(answer)}}))

    for name in ("make_spec", "body_of", "s3_client", "remove_old_states"):
        monkeypatch.setattr(submission, name, lambda *_, **__: {})
    monkeypatch.setattr(submission, "complete_states", lambda *_: [])
    monkeypatch.setattr(submission, "_run", lambda *_: "b")
    monkeypatch.setattr(submission, "ALONE_SECONDS", 0.3)
    return start


def test_a_job_that_was_only_accepted_is_not_said_to_run(accepting: Accepting) -> None:
    stack = accepting(["INITIALIZING", "CREATED"], 0)
    said = repairs.ResubmitJob().run(stack)
    assert said == "the lake's job lake-oltp is accepted as b, not running yet: no TaskManager"
    with pytest.raises(NotReady, match="lake-oltp: it is accepted as b, not running yet: no TaskManager"):
        submission.redeploy(stack, OLTP).require_running(OLTP)


def test_a_state_that_fails_late_on_a_busy_machine_is_told_with_the_way_out(accepting: Accepting) -> None:
    stack = accepting([*["CREATED"] * 4, "FAILED"], 1)
    with pytest.raises(FlinkRefused, match=r"Cannot map operator.*--allow-non-restored"):
        submission.ensure_submitted(stack, OLTP)


def test_a_job_that_begins_late_on_a_busy_machine_is_waited_for(accepting: Accepting) -> None:
    submitted = submission.ensure_submitted(accepting([*["CREATED"] * 4, "RUNNING"], 1), OLTP)
    submitted.require_running(OLTP)
    assert str(submitted) == "runs as b"


def test_nor_is_one_that_has_a_taskmanager_waited_for_without_end(accepting: Accepting) -> None:
    flink = rest_of(accepting(["CREATED"], 1))
    assert submission._begun(flink, "b", OLTP, 0.5) == "still CREATED"
