"""The order in which PostgreSQL's rows are read anew: what a step leaves behind where it, or the next one, fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, NotReady
from lakeproof.lake import topic_ids
from lakeproof.lake.capture import bridge, missed, reading_anew
from lakeproof.lake.capture.topic_gap import MARKER
from lakeproof.lake.job.bridging import bridging, main_may_move
from lakeproof.lake.job.passing_over import is_behind, passes_over
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import SHOP
from lakeproof.lake.topics import find_topic
from lakeproof.stack.stack import Stack

STEPS = (
    *(
        "PUT /connectors/shop/stop",
        "STOPPED",
        "marker",
        "redeployed",
        "read to 40",
        "file's configuration",
        "job ended",
        "submitted",
        "new slot",
    ),
    *("all read", "second rows"),
)
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

    def await_all(*_: object, beyond: int) -> SimpleNamespace:
        found.do(f"read to {beyond}")
        return SimpleNamespace(states={"shop": SimpleNamespace(gtid="1:1")})

    def await_read(_: object, __: object, before: str) -> None:
        assert before == "1:1"
        found.do("all read")

    def write(_: object, rows: list[bytes]) -> int:
        assert rows == [MARKER] and main_may_move(stack, SHOP)
        found.do("marker")
        return 40

    def make_new_slot(*_: object, kept_too: bool) -> None:
        assert kept_too
        found.do("new slot")

    def take_out(*_: object) -> dict[str, int]:
        found.do("second rows")
        return {"shop.payment_events": 7}

    for name, fake in {
        "require_lost": lambda *_, kept_too: None if kept_too else pytest.fail("only where it is lost"),
        "send": lambda _, method, path: found.do(f"{method} {path}"),
        "await_state": lambda _, name, state: found.do(state),
        "restore": lambda *_: found.do("file's configuration"),
        "producer_of": lambda *_: None,
        "write": write,
        "redeploy": lambda *_: found.do("redeployed"),
        "await_all_captured": await_all,
        "no_job": no_job,
        "ensure_submitted": lambda *_: found.do("submitted"),
        "make_new_slot": make_new_slot,
        "_await_read": await_read,
        "take_out_second_rows": take_out,
        "require_right": lambda *_: "its id",
    }.items():
        monkeypatch.setattr(reading_anew, name, fake)
    monkeypatch.setattr(bridge, "send", lambda _, method, path: found.do(f"{method} {path}"))
    return found


def test_all_rows_are_read_anew_and_what_comes_twice_goes(steps: Steps, stack: Stack) -> None:
    assert reading_anew.read_anew(stack, "shop") == {"shop.payment_events": 7}
    assert tuple(steps) == STEPS
    assert not is_behind(stack, SHOP) and topic_ids.noted(stack, find_topic(SHOP.topic)) == "its id"


@pytest.mark.parametrize("step", STEPS)
def test_where_a_step_fails_the_mark_tells_what_the_next_submission_does_and_all_is_done_again(
    steps: Steps, stack: Stack, step: str
) -> None:
    steps.fails_at = step
    missed.note(stack, SHOP, missed.BY_LOG)
    with pytest.raises(CouldNotLook):
        reading_anew.read_anew(stack, "shop")
    assert missed.is_noted(stack, SHOP, missed.BY_LOG) is (step != "second rows")
    assert steps[-1] == RESUMED
    assert is_behind(stack, SHOP) is (step != "second rows")
    # Once the new rows may come the job must take them.
    assert passes_over(stack, SHOP) is (STEPS.index(step) <= STEPS.index("job ended"))
    steps.fails_at = ""
    reading_anew.read_anew(stack, "shop")
    assert tuple(steps[-len(STEPS) :]) == STEPS and not is_behind(stack, SHOP)


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
    ("gtids", "is_read"),
    [(["1:1", None, "", "1:2"], True), (["1:1"], False), ([None], False), ([""], False)],
)
def test_all_is_read_once_another_transaction_than_before_is_on_main(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, gtids: list[str | None], is_read: bool
) -> None:
    """The heartbeat's row is read among the others, and tells of no transaction then. "": Nessie does not answer."""

    def newest(*_: object) -> SimpleNamespace:
        gtid = gtids.pop(0) if len(gtids) > 1 else gtids[0]
        if gtid == "":
            raise CouldNotLook("nessie is away")
        return SimpleNamespace(states={"shop": SimpleNamespace(gtid=gtid)})

    monkeypatch.setattr(history, "newest", newest)
    monkeypatch.setattr(reading_anew, "READ_SECONDS", 5.0 if is_read else 0.05)
    if is_read:
        reading_anew._await_read(stack, SHOP, "1:1")
    else:
        with pytest.raises(DeadlineExpired):
            reading_anew._await_read(stack, SHOP, "1:1")
