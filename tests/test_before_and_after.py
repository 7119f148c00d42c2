"""What tests/before_and_after.py makes of what it read."""

from tests.before_and_after import busy_seconds, longest_gap


def test_only_work_counts_as_busy() -> None:
    before = "cpu  1000 0 500 90000 700 0 30 40 0 0\ncpu0 1 2 3"
    after = "cpu  1150 10 560 99000 900 5 55 90 0 0\ncpu0 1 2 3"
    assert busy_seconds(after) - busy_seconds(before) == 2.5  # of 100 ticks a second: 150 + 10 + 60 + 5 + 25


def test_the_longest_pause_is_one_that_ends_after_the_kill() -> None:
    moments = [0.0, 30.0, 32.0, 34.0, 43.0, 45.0]
    assert longest_gap(moments, 33.0, 47.0) == 9.0
    assert longest_gap(moments, 33.0, 60.0) == 15.0  # it never moved again
    assert longest_gap([], 33.0, 60.0) == 27.0
