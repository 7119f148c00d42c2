"""When all that was captured is on main: by the offset that the job keeps, and never by one that tells nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, LakeproofError
from lakeproof.lake.capture import gap, missed
from lakeproof.lake.capture.bridge import Missing, Place, Resting
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.difference import Difference, Event
from lakeproof.lake.job.flink_rest import FlinkRefused
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack

END = 60
EARLIER, LATER = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
RESTING = Resting(find_connector("orders"), OLTP, {}, None)  # type: ignore[arg-type]


class Flink:
    """Refuses the first checkpoint: a task of the job has not started yet."""

    refused = False

    def checkpoint(self, job_id: str) -> str:
        if not self.refused:
            self.refused = True
            raise FlinkRefused("not all tasks run")
        return "asked"

    def checkpoint_number(self, job_id: str, asked: str) -> int:
        return 9


@pytest.mark.parametrize(
    ("kept", "beyond", "has_more", "checkpoint", "published", "holds"),
    [
        (50, -1, False, 9, LATER, True),
        (50, 49, False, 9, LATER, True),
        (50, 50, False, 9, LATER, False),  # not read yet
        (None, -1, False, 9, LATER, False),
        (900, 49, False, 9, LATER, False),  # kept of a topic that was made anew since
        (50, 49, True, 9, LATER, False),
        (50, 49, False, 8, LATER, False),  # main does not show it yet
        (50, 49, False, 190, EARLIER, False),  # of the job before, whose state this one did not get
    ],
)
def test_all_that_was_captured_is_on_main(
    stack: Stack,
    monkeypatch: pytest.MonkeyPatch,
    kept: int | None,
    beyond: int,
    has_more: bool,
    checkpoint: int,
    published: datetime,
    holds: bool,
) -> None:
    commit = SimpleNamespace(states={"oltp": SimpleNamespace(checkpoint=checkpoint, at=published)})
    shown = iter([SimpleNamespace(states={"oltp": SimpleNamespace(checkpoint=190, at=EARLIER)})])
    monkeypatch.setattr(gap, "rest_of", lambda *_: Flink())
    monkeypatch.setattr(gap, "find_job", lambda *_: SimpleNamespace(id="a"))
    monkeypatch.setattr(gap, "kept_offset", lambda *_: kept)
    monkeypatch.setattr(gap, "end_offset", lambda *_: END)
    monkeypatch.setattr(gap, "has_more", lambda *_: has_more)
    monkeypatch.setattr(history, "newest", lambda *_: next(shown, commit))
    for name in ("READ_SECONDS", "PUBLISH_SECONDS"):
        monkeypatch.setattr(gap, name, 0.1)
    if holds:
        assert gap.await_all_captured(stack, RESTING, beyond).states == commit.states
    else:
        with pytest.raises(DeadlineExpired):
            gap.await_all_captured(stack, RESTING, beyond)


class Slow:
    """Gives what was to be seen, but no answer to each first question."""

    def __init__(self, *seen: object) -> None:
        self.answers: list[object] = [answer for each in seen for answer in (None, each)]

    def __call__(self, *_: object) -> object:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            raise CouldNotLook("no answer (ReadTimeout)", where="nessie")
        return answer


def test_one_slow_answer_of_nessie_or_of_kafka_does_not_end_a_bridge(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = ({"oltp": SimpleNamespace(checkpoint=9, at=at)} for at in (EARLIER, LATER))
    monkeypatch.setattr(Deadline, "pause", lambda *_: None)
    monkeypatch.setattr(gap, "rest_of", lambda *_: Flink())
    monkeypatch.setattr(gap, "find_job", lambda *_: SimpleNamespace(id="a"))
    monkeypatch.setattr(gap, "kept_offset", Slow(49, 50))
    monkeypatch.setattr(gap, "end_offset", Slow(END))
    monkeypatch.setattr(gap, "has_more", lambda *_: False)
    monkeypatch.setattr(history, "newest", Slow(*(SimpleNamespace(states=each) for each in (before, before, after))))
    found = gap.await_all_captured(stack, RESTING, beyond=49)
    assert found.states == after


def no_answer(*_: object) -> object:
    raise CouldNotLook("no answer (ReadTimeout)", where="nessie")


@pytest.mark.parametrize("look", ["kept_offset", "newest"])
def test_nessie_or_kafka_that_stays_away_ends_a_bridge_as_not_looked_at(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    """The user waited two minutes, and was told of a wait that failed."""
    monkeypatch.setattr(gap, "rest_of", lambda *_: Flink())
    monkeypatch.setattr(gap, "find_job", lambda *_: SimpleNamespace(id="a"))
    monkeypatch.setattr(gap, "has_more", lambda *_: False)
    monkeypatch.setattr(gap, "kept_offset", no_answer if look == "kept_offset" else lambda *_: 50)
    monkeypatch.setattr(gap, "end_offset", lambda *_: END)
    monkeypatch.setattr(history, "newest", no_answer)
    for name in ("READ_SECONDS", "PUBLISH_SECONDS"):
        monkeypatch.setattr(gap, name, 0.2)
    monkeypatch.setattr(gap, "SILENT_SECONDS", 0.1, raising=False)
    with pytest.raises(CouldNotLook, match=r"nessie: no answer .* Next: lakeproof ps"):
        gap.await_all_captured(stack, RESTING)


class Steps(list[str]):
    """What a bridge does in turn. known: what Connect keeps of its offset. shown: whether `main` shows what comes."""

    known: Mapping[str, str] = {}
    shown = True
    why: LakeproofError = DeadlineExpired("waited 120 s for main", last_seen="main shows checkpoint 3")
    found = Difference([Event("oltp.orders", "c", None, {"id": 1})])

    def await_shown(self, *_: object, beyond: int = -1) -> None:
        if beyond >= 0 and not self.shown:
            raise self.why
        self.append(f"shown to {beyond}")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    made = Steps()

    @contextmanager
    def at_rest(*_: object) -> Iterator[Resting]:
        yield Resting(find_connector("orders"), OLTP, {"offset": made.known}, None)  # type: ignore[arg-type]
        made.append("resumed")

    def write(*_: object) -> int:
        made.append("written")
        return 52

    monkeypatch.setattr(gap, "at_rest", at_rest)
    monkeypatch.setattr(gap, "require_comparable", lambda *_: made.append("comparable"))
    monkeypatch.setattr(gap, "require_unchanged", lambda *_: made.append("unchanged"))
    monkeypatch.setattr(gap, "require_known", lambda *_: made.append("topic known"))
    monkeypatch.setattr(gap, "let_main_move", lambda *_: made.append("main moves"))
    monkeypatch.setattr(gap, "await_all_captured", made.await_shown)
    monkeypatch.setattr(gap, "last_values", lambda *_: [])
    monkeypatch.setattr(gap, "compared", lambda *_: Missing(Place("bin.000002", 900, "0-1-12", 7), made.found))
    monkeypatch.setattr(gap, "_require_untouched", lambda *_: None)
    monkeypatch.setattr(gap, "write", write)
    return made


NOTHING = Difference([])


@pytest.mark.parametrize(
    ("found", "known", "awaited"),
    [
        (Steps.found, {}, True),
        (NOTHING, {"transaction_id": "0-1-7"}, True),  # its END alone is written
        (NOTHING, {}, False),
    ],
)
def test_the_connector_goes_on_only_once_main_shows_what_was_written(
    stack: Stack, steps: Steps, found: Difference, known: Mapping[str, str], awaited: bool
) -> None:
    """While the bridge is there an audit's finding does not keep `main` as it is (publish/service.py)."""
    steps.found, steps.known = found, known
    missed.note(stack, OLTP, missed.BY_LOG)
    assert gap.bridge(stack, "orders") is found
    assert not missed.is_noted(stack, OLTP, missed.BY_LOG)
    shown = ["shown to 52"] if awaited else []
    assert steps == [
        "unchanged",
        "topic known",
        "comparable",
        "main moves",
        "shown to -1",
        "written",
        *shown,
        "resumed",
    ]


@pytest.mark.parametrize(("why", "exit_code"), [(Steps.why, 1), (CouldNotLook("no answer", where="nessie"), 3)])
def test_what_was_written_and_is_not_shown_is_told_with_what_to_do(
    stack: Stack, steps: Steps, why: LakeproofError, exit_code: int
) -> None:
    steps.shown, steps.why = False, why
    missed.note(stack, OLTP, missed.BY_LOG)
    with pytest.raises(LakeproofError) as told:
        gap.bridge(stack, "orders")
    assert told.value.exit_code == exit_code
    assert missed.is_noted(stack, OLTP, missed.BY_LOG)
    assert "1 of oltp.orders; all of that lies in its topic now" in told.value.message
    assert "the same again" in told.value.next_action
