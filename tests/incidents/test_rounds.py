"""The desk's background threads: they go on after an error, end in time, and a hung one is told from a long round."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.doubles.clock import Clock

from lakeproof.deadline import Deadline
from lakeproof.incidents.rounds import HUNG_SECONDS, Rounds, stop_all


class Step:
    """A round whose steps the test lets go, one by one."""

    def __init__(self, clock: Any) -> None:
        self.made, self.go = 0, threading.Semaphore(0)
        self.rounds = Rounds("tickets", self.make, clock)

    def make(self) -> None:
        self.made += 1
        self.go.acquire()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def step(clock: Clock) -> Iterator[Step]:
    made = Step(clock)
    yield made
    made.go.release(100)
    stop_all([made.rounds])


def made(step: Step, rounds: int) -> None:
    Deadline(30).wait_for(f"round {rounds}", lambda: True if step.made >= rounds else None)


def test_a_round_that_fails_is_not_the_last_one() -> None:
    tried, again = [], threading.Event()

    def fail() -> None:
        tried.append("made")
        if len(tried) == 2:
            again.set()
        raise ValueError("nobody foresaw it")

    rounds = Rounds("watch", fail)
    rounds.start()
    rounds.hurry()
    assert again.wait(30), tried
    assert rounds.trouble() == ""
    stop_all([rounds])
    assert rounds.trouble() == "its thread has ended; restart the desk"


def test_one_that_hangs_in_a_step_is_told_and_one_of_many_steps_is_not(step: Step, clock: Clock) -> None:
    step.rounds.start()
    made(step, 1)
    clock.now += HUNG_SECONDS
    assert step.rounds.trouble() == ""
    step.rounds.went_on()
    clock.now += HUNG_SECONDS
    assert step.rounds.trouble() == ""
    clock.now += 1
    assert step.rounds.trouble() == "its thread has hung in one step for 121 s; restart the desk"
    step.go.release()
    made(step, 2)
    assert step.rounds.trouble() == ""


def test_health_says_which_of_the_desks_threads_gets_nowhere(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.get("/health").status_code == 200
    monkeypatch.setattr(Rounds, "trouble", lambda self: "its thread has ended; restart the desk")
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["watch"]) == (503, "its thread has ended; restart the desk")
