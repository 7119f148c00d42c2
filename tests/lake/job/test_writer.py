"""A statement that writes a job's tables is ended before that job is submitted."""

from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
from tests.conftest import Answering

from lakeproof.lake.job import submission, writer
from lakeproof.lake.job.flink_rest import FlinkRefused, Job
from lakeproof.lake.job.writer import WriterStays, begin_writing, end_writer, writer_of
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Flink:
    """states: of OLTP's statement, one look after another; the last one stays. ended: a cancel finds it so."""

    def __init__(self, *states: str, ended: bool = False) -> None:
        self.states, self.ended = [*states], ended
        self.cancelled: set[str] = set()

    def jobs(self) -> list[Job]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return [
            Job("w", writer_of(OLTP), state),
            Job("s", writer_of(SHOP), "RUNNING"),
            Job("q", "lakeproof-query", "RUNNING"),
            Job("o", "lakeproof-write-oltp-ended", "CANCELED"),
        ]

    def cancel(self, job_id: str) -> None:
        self.cancelled.add(job_id)
        if self.ended:
            raise FlinkRefused("409")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(writer, "END_SECONDS", 1.5)
    monkeypatch.setattr(writer, "LISTED_SECONDS", 0.8)
    return Stack(Settings(state_dir=tmp_path))


@pytest.mark.parametrize(
    ("states", "cancelled"),
    [
        (["FINISHED"], set()),
        (["RUNNING", "CANCELLING", "CANCELED"], {"w"}),
        (["CANCELLING", "CANCELLING", "CANCELED"], {"w"}),
    ],
)
@pytest.mark.parametrize("ended", [True, False])
def test_it_is_cancelled_and_its_end_is_waited_for(
    stack: Stack, states: list[str], cancelled: set[str], ended: bool
) -> None:
    flink = Flink(*states, ended=ended)
    end_writer(stack, flink, OLTP)  # type: ignore[arg-type]
    assert (flink.cancelled, flink.states) == (cancelled, states[-1:])


def test_one_that_is_still_in_the_gateways_hands_is_ended_there_and_waited_for(
    stack: Stack, answering: Answering
) -> None:
    """It was sent, who sent it was killed, and Flink lists it a moment later."""
    asked: list[str] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append(f"{method} {path}")
        return 200, {"status": "CLOSED"}

    begin_writing(stack, OLTP, f"http://{answering(answer)}/v1/sessions/7")
    flink = Flink("FINISHED", "FINISHED", "RUNNING", "CANCELLING", "CANCELED")
    end_writer(stack, flink, OLTP)  # type: ignore[arg-type]
    assert (asked, flink.cancelled, flink.states) == (["DELETE /v1/sessions/7"], {"w"}, ["CANCELED"])
    end_writer(stack, flink, OLTP)  # type: ignore[arg-type]
    assert len(asked) == 1


def test_a_gateway_that_is_gone_sends_nothing_more(stack: Stack) -> None:
    begin_writing(stack, OLTP, "http://127.0.0.1:9/v1/sessions/7")
    end_writer(stack, Flink("FINISHED"), OLTP)  # type: ignore[arg-type]
    assert not writer._mark(stack, OLTP).exists()


def test_a_gateway_that_hangs_may_still_send_it(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> None:
        raise httpx.ReadTimeout("silent")

    begin_writing(stack, OLTP, "http://127.0.0.1:9/v1/sessions/7")
    monkeypatch.setattr("lakeproof.lake.job.writer.httpx.delete", hang)
    with pytest.raises(WriterStays, match="restart flink-sql-gateway"):
        end_writer(stack, Flink("FINISHED"), OLTP)  # type: ignore[arg-type]
    assert writer._mark(stack, OLTP).exists()


@pytest.mark.parametrize(
    ("told", "closed"),
    [
        ("SqlGatewayException: Failed to closeSession.\nCaused by: IllegalStateException: it stays", False),
        ("SqlGatewayException: Failed to closeSession.\nCaused by: Session '7' does not exist.", True),
    ],
)
def test_a_gateway_that_fails_to_close_its_session_may_still_send_it(
    stack: Stack, answering: Answering, told: str, closed: bool
) -> None:
    """Flink 1.20 gives the same status where there is no such session any more."""
    begin_writing(stack, OLTP, f"http://{answering(lambda *_: (500, {'errors': [told]}))}/v1/sessions/7")
    with nullcontext() if closed else pytest.raises(WriterStays):
        end_writer(stack, Flink("FINISHED"), OLTP)  # type: ignore[arg-type]
    assert writer._mark(stack, OLTP).exists() is not closed


def test_one_that_does_not_end_keeps_the_job_from_being_submitted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "rest_of", lambda stack: Flink("RUNNING"))
    monkeypatch.setattr(submission, "_run", lambda *_: pytest.fail("submitted beside it"))
    with pytest.raises(WriterStays):
        submission.ensure_submitted(stack, OLTP)
