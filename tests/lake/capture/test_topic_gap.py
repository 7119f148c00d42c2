"""The order of a bridge over a gap in the topic: nothing is deleted before what the lake lacks is written."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.capture import topic_gap
from lakeproof.lake.capture.bridge import Missing, Place
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.difference import Difference, Event
from lakeproof.lake.job.states import State
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

AT = datetime(2026, 11, 30, tzinfo=UTC)
PLACE = Place("bin.000002", 900, "0-1-12", 7)
STEPS = ("settled", "compared", "written", "deleted before 40", "lenient", "awaited beyond 40", "exact")


def state(checkpoint: int) -> State:
    return State(checkpoint, AT, f"s3://flink/checkpoints/lake-oltp/a/chk-{checkpoint}")


class Steps(list[str]):
    """What was done, and what is met on the way. fails_at: the step that raises."""

    rows: list[bytes]
    held: list[dict[str, Any]]
    fails_at = ""

    def do(self, step: str) -> None:
        self.append(step)
        if step == self.fails_at:
            raise CouldNotLook("no answer", where=step)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    found = Steps()
    found.held = []
    resting = SimpleNamespace(connector=find_connector("orders"), source=OLTP, known={"offset": {}})

    @contextmanager
    def at_rest(*_: object) -> Iterator[object]:
        yield resting

    def settled(*_: object) -> tuple[State, None]:
        found.do("settled")
        return state(7), None

    def compared(stack: Stack, resting: object, commit: object, came: list[dict[str, Any]]) -> Missing:
        assert came == found.held
        found.do("compared")
        return Missing(PLACE, Difference([Event("oltp.orders", "c", None, {"id": 1})]))

    def write(resting: object, rows: list[bytes], place: Place) -> int:
        found.rows = rows
        found.do("written")
        return 40

    monkeypatch.setattr(topic_gap, "at_rest", at_rest)
    monkeypatch.setattr(topic_gap, "_settled", settled)
    monkeypatch.setattr(topic_gap, "s3_client", lambda stack: None)
    monkeypatch.setattr(topic_gap, "held_rows", lambda *_: found.held)
    monkeypatch.setattr(topic_gap, "compared", compared)
    monkeypatch.setattr(topic_gap, "write", write)
    monkeypatch.setattr(topic_gap, "state_of", lambda *_: "STOPPED")
    monkeypatch.setattr(topic_gap, "known_offset", lambda *_: {"offset": {}})
    monkeypatch.setattr(topic_gap, "complete_states", lambda *_: [state(7)])
    monkeypatch.setattr(topic_gap, "_delete_before", lambda stack, source, at: found.do(f"deleted before {at}"))
    monkeypatch.setattr(topic_gap, "go_on_at_oldest", lambda *_: found.do("lenient"))
    monkeypatch.setattr(topic_gap, "await_all_captured", lambda *_, beyond: found.do(f"awaited beyond {beyond}"))
    monkeypatch.setattr(topic_gap, "exact_again", lambda *_: found.do("exact"))
    return found


@pytest.fixture
def bridge(tmp_path: Path, steps: Steps) -> Callable[[], Difference]:
    return lambda: topic_gap.bridge(Stack(Settings(state_dir=tmp_path)), "orders")


def test_the_difference_is_in_the_topic_before_anything_is_deleted(
    steps: Steps, bridge: Callable[[], Difference]
) -> None:
    assert bridge().counts() == {"oltp.orders": 1}
    assert tuple(steps) == STEPS
    row, end = map(json.loads, steps.rows)
    assert (row["transaction"]["id"], end["id"], end["event_count"]) == ("0-1-12", "0-1-12", 1)


@pytest.mark.parametrize("step", STEPS)
def test_where_a_step_fails_none_after_it_is_done(steps: Steps, bridge: Callable[[], Difference], step: str) -> None:
    steps.fails_at = step
    with pytest.raises(CouldNotLook):
        bridge()
    assert tuple(steps) == STEPS[: STEPS.index(step) + 1]


def test_what_the_state_holds_ends_with_the_difference(steps: Steps, bridge: Callable[[], Difference]) -> None:
    """Else it would come a thousand transactions later, over what is newer."""
    steps.held = [{"op": "c", "transaction": {"id": name}} for name in ("0-1-4", "0-1-5", "0-1-5")]
    bridge()
    told = [json.loads(row) for row in steps.rows]
    assert [(each.get("status"), each.get("id"), each.get("event_count")) for each in told] == [
        ("END", "0-1-4", 0),
        (None, None, None),
        ("END", "0-1-5", 1),
    ]
    assert told[1]["transaction"]["id"] == "0-1-5"


@pytest.mark.parametrize(
    ("name", "now"),
    [("state_of", "RUNNING"), ("known_offset", {"offset": {"pos": 5}}), ("complete_states", [state(8)])],
)
def test_nothing_is_written_where_somebody_has_gone_on_meanwhile(
    steps: Steps, bridge: Callable[[], Difference], monkeypatch: pytest.MonkeyPatch, name: str, now: object
) -> None:
    monkeypatch.setattr(topic_gap, name, lambda *_: now)
    with pytest.raises(NotReady, match="no longer holds"):
        bridge()
    assert tuple(steps) == ("settled", "compared")


def test_nothing_is_deleted_where_kafka_does_not_tell_where_the_rows_lie(
    steps: Steps, bridge: Callable[[], Difference], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_gap, "write", lambda *_: None)
    with pytest.raises(NotReady):
        bridge()
    assert tuple(steps) == ("settled", "compared")


def test_the_job_is_ended_at_a_state_that_main_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that it completes while it is being ended is waited for as well."""
    shown, complete, cancelled = iter((6, 7, 8)), [7], []

    class Flink:
        def cancel(self, job_id: str) -> None:
            cancelled.append(job_id)
            complete[0] = 8

    def newest(*_: object) -> SimpleNamespace:
        return SimpleNamespace(states={"oltp": SimpleNamespace(checkpoint=next(shown))})

    monkeypatch.setattr(topic_gap, "rest_of", lambda *_: Flink())
    monkeypatch.setattr(topic_gap, "s3_client", lambda *_: None)
    monkeypatch.setattr(topic_gap, "ensure_submitted", lambda *_: "a")
    monkeypatch.setattr(topic_gap, "find_job", lambda *_: SimpleNamespace(id=f"job{len(cancelled)}"))
    monkeypatch.setattr(topic_gap, "complete_states", lambda *_: [state(complete[0])])
    monkeypatch.setattr(history, "newest", newest)
    found, commit = topic_gap._settled(Stack(Settings(state_dir=tmp_path)), OLTP)
    assert (found.checkpoint, commit.states["oltp"].checkpoint) == (8, 8)
    assert cancelled == ["job0", "job1"]
