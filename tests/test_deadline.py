import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, NotReady


def test_a_wait_that_ends_says_what_it_last_saw() -> None:
    def look() -> bool | None:
        raise NotReady("connection refused")

    with pytest.raises(DeadlineExpired, match=r"waited 0 s for the port; last seen: connection refused"):
        Deadline(0.05).wait_for("the port", look, every=0.01)


def test_a_wait_gives_what_it_found() -> None:
    answers = iter([None, None, 7])
    assert Deadline(1).wait_for("a number", lambda: next(answers), every=0.001) == 7


def test_one_look_without_an_answer_ends_only_a_wait_that_does_not_allow_for_it() -> None:
    def look() -> bool | None:
        raise CouldNotLook("no answer", where="kafka")

    with pytest.raises(DeadlineExpired, match="last seen: kafka: no answer"):
        Deadline(0.05).wait_for("the fault to show", look, every=0.01, unseen_is_not_yet=True)
    with pytest.raises(CouldNotLook):
        Deadline(0.05).wait_for("the fault to show", look, every=0.01)


async def test_a_coroutine_wait_ends_with_what_it_last_saw() -> None:
    async def look() -> bool | None:
        raise NotReady("still booting")

    with pytest.raises(DeadlineExpired, match="still booting"):
        await Deadline(0.05).wait_for_async("the engine", look, every=0.01)
