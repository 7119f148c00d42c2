"""Pauses before restarts."""

from tests.doubles.clock import Clock

from lakeproof.processes.backoff import Backoff
from lakeproof.processes.pace import Pace


def test_pauses_grow_while_a_component_keeps_dying() -> None:
    clock = Clock()
    backoff = Backoff(Pace(), clock)
    pauses = []
    for _ in range(6):
        pauses.append(backoff.next_seconds())
        clock.now += pauses[-1] + 3
    assert pauses == [1, 2, 4, 8, 15, 15]


def test_a_component_that_lived_for_a_minute_starts_quickly_again() -> None:
    clock = Clock()
    backoff = Backoff(Pace(), clock)
    backoff.next_seconds()
    backoff.next_seconds()
    clock.now += 63
    assert backoff.next_seconds() == 1
