"""The order in which PostgreSQL's rows are read anew: what a step leaves behind where it, or the next one, fails."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import CouldNotLook, DeadlineExpired, NotReady
from lakeproof.lake.capture import reading_anew
from lakeproof.lake.job.bridging import bridging, main_may_move
from lakeproof.lake.job.passing_over import is_behind, passes_over
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import SHOP
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

STEPS = (
    *("stopped", "transforms", "marker", "redeployed", "read to 40", "job ended", "submitted", "new slot"),
    *("all read", "second rows"),
)


class Steps(list[str]):
    """What was done. fails_at: the step that raises, when it has been done."""

    fails_at = ""

    def do(self, step: str) -> None:
        self.append(step)
        if step == self.fails_at:
            raise CouldNotLook("no answer", where=step)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


@pytest.fixture
def steps(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Steps:
    found = Steps()

    @contextmanager
    def no_job(*_: object) -> Iterator[None]:
        found.do("job ended")
        yield

    def write(*_: object) -> int:
        assert main_may_move(stack, SHOP)
        found.do("marker")
        return 40

    def make_new_slot(*_: object, kept_too: bool) -> None:
        assert kept_too
        found.do("new slot")

    def take_out(*_: object) -> dict[str, int]:
        found.do("second rows")
        return {"shop.payment_events": 7}

    for name, fake in {
        "send": lambda *_: None,
        "await_state": lambda *_: found.do("stopped"),
        "restore_transforms": lambda *_: found.do("transforms"),
        "producer_of": lambda *_: None,
        "write": write,
        "redeploy": lambda *_: found.do("redeployed"),
        "await_all_captured": lambda *_, beyond: found.do(f"read to {beyond}"),
        "no_job": no_job,
        "ensure_submitted": lambda *_: found.do("submitted"),
        "make_new_slot": make_new_slot,
        "_await_read": lambda *_: found.do("all read"),
        "take_out_second_rows": take_out,
    }.items():
        monkeypatch.setattr(reading_anew, name, fake)
    return found


def test_all_rows_are_read_anew_and_what_comes_twice_goes(steps: Steps, stack: Stack) -> None:
    assert reading_anew.read_anew(stack, "shop") == {"shop.payment_events": 7}
    assert tuple(steps) == STEPS
    assert not is_behind(stack, SHOP)


@pytest.mark.parametrize("step", STEPS)
def test_where_a_step_fails_the_mark_tells_what_the_next_submission_does_and_all_is_done_again(
    steps: Steps, stack: Stack, step: str
) -> None:
    steps.fails_at = step
    with pytest.raises(CouldNotLook):
        reading_anew.read_anew(stack, "shop")
    assert is_behind(stack, SHOP)
    # Once the new rows may come the job must take them.
    assert passes_over(stack, SHOP) is (STEPS.index(step) <= STEPS.index("job ended"))
    steps.fails_at = ""
    reading_anew.read_anew(stack, "shop")
    assert tuple(steps[-len(STEPS) :]) == STEPS and not is_behind(stack, SHOP)


def test_one_at_a_time(steps: Steps, stack: Stack) -> None:
    with bridging(stack, SHOP), pytest.raises(NotReady):
        reading_anew.read_anew(stack, "shop")
    assert steps == [] and not is_behind(stack, SHOP)


@pytest.mark.parametrize(
    ("gtid", "seconds", "is_read"),
    [("1:2", 1.0, True), (None, 1.0, False), ("1:2", -1.0, False), ("1:2", None, False)],
)
def test_all_is_read_once_a_transaction_of_after_it_is_on_main(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, gtid: str | None, seconds: float | None, is_read: bool
) -> None:
    """The heartbeat's row is read among the others, and tells of no transaction then."""
    began = time.time()
    beat = None if seconds is None else (began + seconds) * 1e6
    commit = SimpleNamespace(states={"shop": SimpleNamespace(gtid=gtid, beat_us=beat)})
    monkeypatch.setattr(history, "newest", lambda *_: commit)
    monkeypatch.setattr(reading_anew, "READ_SECONDS", 0.05)
    if is_read:
        reading_anew._await_read(stack, SHOP, began)
    else:
        with pytest.raises(DeadlineExpired):
            reading_anew._await_read(stack, SHOP, began)
