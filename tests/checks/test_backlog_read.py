"""A backlog that was read, one that still waits, one that was deleted, and a job that was set elsewhere."""

import pytest

from lakeproof.checks.verdict import Outcome
from lakeproof_shop.scenarios.kafka_backlog.checks import END, KEPT, START, judge

BEFORE = {START: 0, KEPT: 1_000, END: 1_400}


@pytest.mark.parametrize(
    ("start", "kept", "end", "outcome"),
    [
        (0, 9_000, 9_300, Outcome.PASSED),
        (900, 9_000, 9_300, Outcome.PASSED),
        (0, 1_000, 9_000, Outcome.FAILED),
        (0, 3_000, 9_000, Outcome.FAILED),
        (9_000, 9_000, 9_000, Outcome.FAILED),
        (0, 10, 300, Outcome.FAILED),
        (0, 9_000, 120, Outcome.FAILED),  # made anew
        (0, 9_000, 2_000, Outcome.FAILED),
        (0, 1_200, 1_300, Outcome.FAILED),
    ],
)
def test_what_waited_must_have_been_read_from_where_the_job_stood(
    start: int, kept: int, end: int, outcome: Outcome
) -> None:
    assert judge({START: start, KEPT: kept, END: end}, BEFORE, 5_000, moved=1).outcome is outcome


def test_before_the_fault_the_job_need_not_move() -> None:
    assert judge(BEFORE, BEFORE, 5_000, moved=0).outcome is Outcome.PASSED
