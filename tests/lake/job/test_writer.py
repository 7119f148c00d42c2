"""A statement that writes a job's tables is ended before that job is submitted."""

from pathlib import Path

import pytest

from lakeproof.lake.job import submission, writer
from lakeproof.lake.job.flink_rest import Job
from lakeproof.lake.job.writer import WriterStays, end_writer, writer_of
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Flink:
    """states: of OLTP's statement, one look after another; the last one stays."""

    def __init__(self, *states: str) -> None:
        self.states = [*states]
        self.cancelled: list[str] = []

    def jobs(self) -> list[Job]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return [
            Job("w", writer_of(OLTP), state),
            Job("s", writer_of(SHOP), "RUNNING"),
            Job("q", "lakeproof-query", "RUNNING"),
            Job("o", "lakeproof-write-oltp-ended", "CANCELED"),
        ]

    def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)


@pytest.mark.parametrize(
    ("states", "cancelled"),
    [
        (["FINISHED"], []),
        (["RUNNING", "CANCELLING", "CANCELED"], ["w"]),
        (["CANCELLING", "CANCELLING", "CANCELED"], ["w"]),
    ],
)
def test_it_is_cancelled_and_its_end_is_waited_for(states: list[str], cancelled: list[str]) -> None:
    flink = Flink(*states)
    end_writer(flink, OLTP)  # type: ignore[arg-type]
    assert (flink.cancelled, flink.states) == (cancelled, states[-1:])


def test_one_that_does_not_end_keeps_the_job_from_being_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "END_SECONDS", 0.2)
    monkeypatch.setattr(submission, "rest_of", lambda stack: Flink("RUNNING"))
    monkeypatch.setattr(submission, "_run", lambda *_: pytest.fail("submitted beside it"))
    with pytest.raises(WriterStays) as told:
        submission.ensure_submitted(Stack(Settings(state_dir=tmp_path)), OLTP)
    assert "restart flink-taskmanager" in told.value.next_action
