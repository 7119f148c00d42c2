"""When the topic is emptied, and when nothing is touched: by what the job says of it."""

from pathlib import Path
from typing import Any

import pytest

from lakeproof.arguments import OfConnector
from lakeproof.errors import DeadlineExpired, InvalidInput
from lakeproof.lake.capture import topic_gap
from lakeproof.lake.capture.difference import Difference, Event
from lakeproof.lake.job import lost_place
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations import bridge_topic_gap
from lakeproof.mitigations.bridge_topic_gap import run
from lakeproof.probes import flink
from lakeproof.probes.flink import JobHistory
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

TORN = "transaction 0-1-7: END counts {oltp.order_items=2}, came {}"
FAILS = JobHistory("a", "restarting", 1000, 9000, "java.io.IOException", 5000, 4000, 7)
READS = JobHistory("a", "running", 1000, 9000, "java.io.IOException", 9500, 9900, 8)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


@pytest.fixture
def did(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done of all that changes something."""
    found: list[str] = []

    def bridge(stack: Stack, name: str) -> Difference:
        found.append("bridged")
        return Difference([Event("oltp.orders", "c", None, {"id": 1})])

    def redeploy(stack: Stack, source: object, on_lost_place: str = "NONE") -> str:
        found.append(f"redeployed {on_lost_place}")
        return "b"

    monkeypatch.setattr(topic_gap, "bridge", bridge)
    monkeypatch.setattr(bridge_topic_gap, "ensure_submitted", lambda *_: "a")
    monkeypatch.setattr(bridge_topic_gap, "send", lambda stack, method, path, **_: found.append(f"{method} {path}"))
    monkeypatch.setattr(lost_place, "redeploy", redeploy)
    monkeypatch.setattr(bridge_topic_gap, "LOOK_SECONDS", 0.2)
    return found


def says(monkeypatch: pytest.MonkeyPatch, gap: str, history: JobHistory | None) -> None:
    monkeypatch.setattr(flink, "topic_gap", lambda *_: gap)
    monkeypatch.setattr(flink, "job_history", lambda *_: history)


def test_a_job_that_names_a_gap_is_got_past_it(stack: Stack, did: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, TORN, FAILS)
    assert run(stack, OfConnector()).startswith("rows that the lake lacked: 1 of oltp.orders; lake-oltp and")
    assert did == ["bridged"]


def test_where_the_job_reads_on_its_topic_is_left_alone(
    stack: Stack, did: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, "none", READS)
    with pytest.raises(InvalidInput, match="without trouble") as told:
        run(stack, OfConnector())
    assert (did, "bridge_capture_gap" in str(told.value.next_action)) == ([], True)


def test_what_a_call_that_was_cut_off_left_is_finished(
    stack: Stack, did: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed while the job still went on where its place was gone, with the connector stopped."""
    lost_place.go_on_at_oldest(stack, OLTP)
    assert lost_place.passes_over_losses(stack, OLTP)
    says(monkeypatch, "none", READS)
    assert "cut off" in run(stack, OfConnector())
    assert did == ["redeployed EARLIEST", "redeployed NONE", "PUT /connectors/orders/resume"]
    assert not lost_place.passes_over_losses(stack, OLTP)


def test_a_job_that_neither_fails_nor_gets_on_is_not_judged(
    stack: Stack, did: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for history in (None, FAILS):
        says(monkeypatch, "none", history)
        with pytest.raises(DeadlineExpired):
            run(stack, OfConnector())
    assert did == []


def test_the_mark_stays_where_the_job_is_not_made_exact_again(
    stack: Stack, did: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lost_place.go_on_at_oldest(stack, OLTP)

    def fail(*_: Any, **__: Any) -> None:
        raise DeadlineExpired("a savepoint", last_seen="nothing")

    monkeypatch.setattr(lost_place, "redeploy", fail)
    with pytest.raises(DeadlineExpired):
        lost_place.exact_again(stack, OLTP)
    assert lost_place.passes_over_losses(stack, OLTP)
