from lakeproof.processes.pace import Pace
from lakeproof.processes.tries import Tries


def test_who_was_killed_because_of_another_is_not_held_back_once() -> None:
    tries = Tries(Pace())
    pauses = [tries.next_pause_seconds(), tries.next_pause_seconds()]
    tries.excuse()
    pauses += [tries.next_pause_seconds(), tries.next_pause_seconds()]
    assert pauses == [1, 2, 1, 4]


def test_a_start_after_an_end_that_was_wanted_is_no_restart() -> None:
    tries = Tries(Pace())
    tries.count_restart()
    tries.expect_end()
    tries.count_restart()
    assert tries.restarts == 1
    tries.count_restart()
    assert tries.restarts == 2
    tries.expect_end()
    tries.begin_life()
    tries.count_restart()
    assert tries.restarts == 3


def test_a_new_life_begins_with_the_shortest_pause() -> None:
    tries = Tries(Pace())
    tries.next_pause_seconds()
    tries.begin_life()
    assert tries.next_pause_seconds() == 1


def test_a_healthy_one_keeps_count_of_its_restarts_only() -> None:
    tries = Tries(Pace())
    tries.restarts, tries.failures, tries.too_slow = 3, 2, True
    tries.forgive()
    assert (tries.restarts, tries.failures, tries.too_slow) == (3, 0, False)
