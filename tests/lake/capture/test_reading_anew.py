"""The order in which PostgreSQL's rows are read anew: what a step leaves behind where it, or the next one, fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, NotReady
from lakeproof.lake import topic_ids
from lakeproof.lake.capture import bridge, missed, reading_anew
from lakeproof.lake.capture.rewriting import TakenOut
from lakeproof.lake.capture.topic_gap import MARKER
from lakeproof.lake.job.bridging import bridging, main_may_move
from lakeproof.lake.job.passing_over import begin_passing_over, is_behind, is_held, passes_over
from lakeproof.lake.sources.source import SHOP
from lakeproof.lake.topics import find_topic
from lakeproof.stack.stack import Stack

PASSED_OVER = (
    "PUT /connectors/shop/stop",
    "STOPPED",
    "marker",
    "redeployed",
    "read to 40",
    "file's configuration",
    "job ended",
)
BROUGHT = ("submitted", "new slot", "lake after beat 100", "second rows", "lake after beat 200", "on main")
STEPS = (*PASSED_OVER, *BROUGHT)
TAKEN = TakenOut({"shop.payment_events": 7}, {"shop.cases": 1}, 200)
RESUMED = "PUT /connectors/shop/resume"


class Steps(list[str]):
    """What was done. fails_at: the step that raises, when it has been done."""

    fails_at = ""

    def do(self, step: str) -> None:
        self.append(step)
        if step == self.fails_at:
            raise CouldNotLook("no answer", where=step)


@pytest.fixture
def steps(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Steps:
    found = Steps()

    @contextmanager
    def no_job(*_: object) -> Iterator[None]:
        found.do("job ended")
        yield
        assert not passes_over(stack, SHOP)

    def await_beat(_: object, __: object, beat_us: int) -> None:
        assert is_held(stack, SHOP)
        found.do(f"lake after beat {beat_us}")

    def write(_: object, rows: list[bytes]) -> int:
        assert rows == [MARKER] and main_may_move(stack, SHOP)
        found.do("marker")
        return 40

    def make_new_slot(*_: object, kept_too: bool) -> None:
        assert kept_too
        found.do("new slot")

    def take_out(*_: object) -> TakenOut:
        assert is_held(stack, SHOP)
        found.do("second rows")
        return TAKEN

    def await_published(*_: object) -> None:
        assert not is_held(stack, SHOP) and main_may_move(stack, SHOP)
        found.do("on main")

    for name, fake in {
        "require_lost": lambda *_, kept_too=False: None,
        "require_known": lambda *_: None,
        "send": lambda _, method, path: found.do(f"{method} {path}"),
        "await_state": lambda _, name, state: found.do(state),
        "restore": lambda *_: found.do("file's configuration"),
        "producer_of": lambda *_: None,
        "write": write,
        "redeploy": lambda *_: found.do("redeployed"),
        "await_all_captured": lambda *_, beyond: found.do(f"read to {beyond}"),
        "no_job": no_job,
        "ensure_submitted": lambda *_: found.do("submitted"),
        "make_new_slot": make_new_slot,
        "beat_of_database": lambda *_: 100,
        "_await_beat_after": await_beat,
        "take_out_what_is_not_in_the_source": take_out,
        "await_published": await_published,
        "require_right": lambda *_: "its id",
    }.items():
        monkeypatch.setattr(reading_anew, name, fake)
    monkeypatch.setattr(bridge, "send", lambda _, method, path: found.do(f"{method} {path}"))
    return found


def test_all_rows_are_read_anew_and_what_comes_twice_goes(steps: Steps, stack: Stack) -> None:
    assert reading_anew.read_anew(stack, "shop") == TAKEN
    assert tuple(steps) == STEPS
    assert not is_behind(stack, SHOP) and topic_ids.noted(stack, find_topic(SHOP.topic)) == "its id"


@pytest.mark.parametrize("step", STEPS)
def test_where_a_step_fails_the_next_call_goes_on_and_main_shows_nothing_before_all_is_whole(
    steps: Steps, stack: Stack, step: str
) -> None:
    steps.fails_at = step
    missed.note(stack, SHOP, missed.BY_LOG)
    done = step == "on main"
    with pytest.raises(CouldNotLook):
        reading_anew.read_anew(stack, "shop")
    assert steps[-1] == RESUMED
    assert (missed.is_noted(stack, SHOP, missed.BY_LOG), is_behind(stack, SHOP)) == (not done, not done)
    # Once the new rows may come the job must take them, and main stays.
    passed = step in BROUGHT
    assert passes_over(stack, SHOP) is (not passed)
    assert is_held(stack, SHOP) is (passed and not done)
    steps.fails_at = ""
    steps.clear()
    reading_anew.read_anew(stack, "shop")
    slot_is_there = passed and not done and BROUGHT.index(step) > BROUGHT.index("new slot")
    again = tuple(each for each in BROUGHT if each != "new slot") if slot_is_there else BROUGHT
    assert tuple(steps) == (again if passed and not done else STEPS)
    assert not is_behind(stack, SHOP)


def test_a_lost_slot_is_replaced_while_main_is_held(steps: Steps, stack: Stack) -> None:
    assert reading_anew.replace_slot(stack, "shop", lambda text: None) == TAKEN
    assert tuple(steps) == BROUGHT
    assert not is_behind(stack, SHOP)


def test_a_slot_is_replaced_beside_no_other_repair_and_after_none_that_passes_over(
    steps: Steps, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise InvalidInput("made anew, or not right", where="cdc.shop")

    for name in ("require_right", "require_known", "require_lost"):
        with monkeypatch.context() as patched:
            patched.setattr(reading_anew, name, refuse)
            with pytest.raises(InvalidInput, match="made anew, or not right"):
                reading_anew.replace_slot(stack, "shop", lambda text: None)
    with bridging(stack, SHOP), pytest.raises(NotReady):
        reading_anew.replace_slot(stack, "shop", lambda text: None)
    begin_passing_over(stack, SHOP)
    with pytest.raises(InvalidInput, match="bridge_topic_gap"):
        reading_anew.replace_slot(stack, "shop", lambda text: None)
    assert steps == [] and not is_held(stack, SHOP)


@pytest.mark.parametrize(
    "required", ["require_lost", "require_right"], ids=["the slot's loss", "the topic's settings"]
)
def test_what_would_be_refused_later_is_refused_before_anything_is_touched(
    steps: Steps, stack: Stack, monkeypatch: pytest.MonkeyPatch, required: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InvalidInput("it is not so")

    monkeypatch.setattr(reading_anew, required, refuse)
    with pytest.raises(InvalidInput, match="it is not so"):
        reading_anew.read_anew(stack, "shop")
    assert steps == [] and not is_behind(stack, SHOP)


def test_one_at_a_time(steps: Steps, stack: Stack) -> None:
    with bridging(stack, SHOP), pytest.raises(NotReady):
        reading_anew.read_anew(stack, "shop")
    assert steps == [] and not is_behind(stack, SHOP)


@pytest.mark.parametrize(
    ("rows", "holds"),
    [
        ([(101, "1:2")], True),
        ([(101, None)], False),  # read in the snapshot, with all other rows
        ([(100, "1:2")], False),
        ([], False),
    ],
)
def test_all_is_read_once_a_transaction_after_that_beat_is_in_the_lake(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, rows: list[tuple[int, str | None]], holds: bool
) -> None:
    answers: list[object] = [CouldNotLook("no answer", where="flink"), SimpleNamespace(rows=rows)]

    class Session:
        def run(self, sql: str, deadline: object) -> object:
            assert sql == "SELECT beat_us, gtid FROM store.shop.cdc_heartbeat"
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

    @contextmanager
    def paimon(stack: Stack) -> Iterator[Session]:
        yield Session()

    monkeypatch.setattr(reading_anew, "paimon", paimon)
    monkeypatch.setattr(reading_anew, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(reading_anew, "READ_SECONDS", 5.0 if holds else 0.05)
    if holds:
        reading_anew._await_beat_after(stack, SHOP, 100)
    else:
        with pytest.raises(DeadlineExpired, match="a later heartbeat of shop"):
            reading_anew._await_beat_after(stack, SHOP, 100)
