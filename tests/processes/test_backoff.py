"""Pauses before restarts."""

from lakeproof.processes.backoff import Backoff
from lakeproof.processes.pace import Pace


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_pauses_grow_while_a_component_keeps_dying() -> None:
    clock = HandClock()
    backoff = Backoff(Pace(), clock)
    pauses = []
    for _ in range(6):
        pauses.append(backoff.next_seconds())
        clock.now += pauses[-1] + 3
    assert pauses == [1, 2, 4, 8, 15, 15]


def test_a_component_that_lived_for_a_minute_starts_quickly_again() -> None:
    clock = HandClock()
    backoff = Backoff(Pace(), clock)
    backoff.next_seconds()
    backoff.next_seconds()
    clock.now += 63
    assert backoff.next_seconds() == 1
