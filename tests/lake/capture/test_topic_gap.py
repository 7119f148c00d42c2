"""The order of a bridge over a gap in the topic: what a step leaves behind where it, or the next one, fails."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lakeproof.errors import CouldNotLook, InvalidInput, NotReady, TerminalError
from lakeproof.lake import topic_ids
from lakeproof.lake.capture import bridge, gap, missed, topic_gap
from lakeproof.lake.capture.bridge import Missing, Place, Resting
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.difference import Difference, Event
from lakeproof.lake.job.passing_over import begin_passing_over, is_behind
from lakeproof.lake.job.spec import make_spec
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.lake.topics import find_topic
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

PLACE = Place("bin.000002", 900, "0-1-12", 7)
STEPS = (
    *("comparable", "main moves", "marker", "redeployed", "read to 40", "file's configuration", "compared"),
    *("job ended", "difference", "submitted", "read to 52"),
)


class Steps(list[str]):
    """What was done. fails_at: the step that raises, when it has been done."""

    rows: list[bytes]
    fails_at = ""

    def do(self, step: str) -> None:
        self.append(step)
        if step == self.fails_at:
            raise CouldNotLook("no answer", where=step)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    found = Steps()
    resting = Resting(find_connector("orders"), OLTP, {"offset": {}}, None, "its id")  # type: ignore[arg-type]

    @contextmanager
    def at_rest(*_: object) -> Iterator[object]:
        yield resting

    @contextmanager
    def instant(*_: object) -> Iterator[Callable[[str], list[tuple[str, str]]]]:
        yield lambda sql: []

    @contextmanager
    def no_job(*_: object) -> Iterator[None]:
        found.do("job ended")
        yield

    def compared(stack: Stack, resting: Resting, *_: object, came: object) -> Missing:
        # What Connect keeps by the file's configuration.
        assert resting.known["partition"]
        found.do("compared")
        return Missing(PLACE, Difference([Event("oltp.orders", "c", None, {"id": 1})]))

    def write(resting: object, rows: list[bytes], place: Place | None = None) -> int:
        if place is None:
            found.do("marker")
            return 40
        found.rows = rows
        found.do("difference")
        return 52

    monkeypatch.setattr(topic_gap, "at_rest", at_rest)
    monkeypatch.setattr(gap, "at_rest", at_rest)
    monkeypatch.setattr(mariadb, "at_one_instant", instant)
    monkeypatch.setattr(topic_gap, "let_main_move", lambda *_: found.do("main moves"))
    monkeypatch.setattr(topic_gap, "known_offset", lambda *_: {"offset": {}, "partition": {"server": "oltp"}})
    monkeypatch.setattr(topic_gap, "restore", lambda *_: found.do("file's configuration"))
    monkeypatch.setattr(topic_gap, "write", write)
    monkeypatch.setattr(topic_gap, "require_comparable", lambda *_: found.do("comparable"))
    monkeypatch.setattr(topic_gap, "redeploy", lambda *_: found.do("redeployed"))
    monkeypatch.setattr(topic_gap, "await_all_captured", lambda *_, beyond: found.do(f"read to {beyond}"))
    monkeypatch.setattr(topic_gap, "no_job", no_job)
    monkeypatch.setattr(topic_gap, "compared", compared)
    monkeypatch.setattr(topic_gap, "require_at_rest", lambda *_: None)
    monkeypatch.setattr(topic_gap, "ensure_submitted", lambda *_: found.do("submitted"))
    return found


def test_what_the_job_passes_over_is_brought_as_one_transaction(steps: Steps, stack: Stack) -> None:
    missed.note(stack, OLTP, missed.BY_LOG)
    assert topic_gap.bridge(stack, "orders").counts() == {"oltp.orders": 1}
    assert not missed.is_noted(stack, OLTP, missed.BY_LOG)
    assert topic_ids.noted(stack, find_topic(OLTP.topic)) == "its id"
    assert tuple(steps) == STEPS
    row, end = map(json.loads, steps.rows)
    assert (row["transaction"]["id"], end["id"], end["event_count"]) == ("0-1-12", "0-1-12", 1)
    assert not is_behind(stack, OLTP)


@pytest.mark.parametrize("step", STEPS)
def test_where_a_step_fails_the_mark_tells_what_the_next_submission_does(
    steps: Steps, stack: Stack, step: str
) -> None:
    """From before anything is passed over until main shows what is missing, and over a start of the JobManager."""
    steps.fails_at = step
    missed.note(stack, OLTP, missed.BY_LOG)
    with pytest.raises(CouldNotLook):
        topic_gap.bridge(stack, "orders")
    assert missed.is_noted(stack, OLTP, missed.BY_LOG)
    assert topic_ids.noted(stack, find_topic(OLTP.topic)) == ""
    done = STEPS.index(step)
    assert tuple(steps) == STEPS[: done + 1]
    prepare = all_components()["flink-jobmanager"].prepare
    assert prepare is not None
    prepare(stack)
    assert is_behind(stack, OLTP) is (done >= STEPS.index("marker"))
    passes = STEPS.index("marker") <= done <= STEPS.index("difference")
    assert make_spec(stack, OLTP)["pass_over"] is passes
    steps.fails_at = ""
    topic_gap.bridge(stack, "orders")
    assert not is_behind(stack, OLTP) and not make_spec(stack, OLTP)["pass_over"]


def test_nothing_is_written_where_the_connector_was_resumed_meanwhile(
    steps: Steps, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resumed(*_: object) -> None:
        raise NotReady("somebody has resumed it meanwhile", where="orders")

    monkeypatch.setattr(topic_gap, "require_at_rest", resumed)
    with pytest.raises(NotReady):
        topic_gap.bridge(stack, "orders")
    assert steps[-1] == "job ended"


@pytest.mark.parametrize(
    ("state", "known", "holds"),
    [("STOPPED", {"pos": 4}, True), ("RUNNING", {"pos": 4}, False), ("STOPPED", {"pos": 5}, False)],
)
def test_a_connector_that_was_resumed_and_stopped_again_is_seen_too(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, state: str, known: dict[str, int], holds: bool
) -> None:
    monkeypatch.setattr(bridge, "state_of", lambda *_: state)
    monkeypatch.setattr(bridge, "known_offset", lambda *_: known)
    resting = Resting(find_connector("orders"), OLTP, {"pos": 4}, None)  # type: ignore[arg-type]
    if holds:
        bridge.require_at_rest(stack, resting)
    else:
        with pytest.raises(NotReady):
            bridge.require_at_rest(stack, resting)


def test_a_job_that_takes_all_rows_of_a_transaction_for_repeats_is_not_helped_so(
    steps: Steps, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def instant(*_: object) -> Iterator[Callable[[str], list[tuple[str, str]]]]:
        yield lambda sql: [("binlog_legacy_event_pos", "OFF")]

    monkeypatch.setattr(mariadb, "at_one_instant", instant)
    with pytest.raises(TerminalError, match="share a place"):
        topic_gap.bridge(stack, "orders")
    assert steps == []


def test_the_other_bridge_waits_for_one_that_was_cut_off(
    steps: Steps, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows would be passed over, and it would tell of success."""
    begin_passing_over(stack, OLTP)
    # Not even the connector is touched: it may stand still since that call was killed.
    monkeypatch.setattr(gap, "at_rest", lambda *_: pytest.fail("stopped"))
    with pytest.raises(InvalidInput, match="nobody has brought") as told:
        gap.bridge(stack, "orders")
    assert "bridge_topic_gap" in str(told.value.next_action)
