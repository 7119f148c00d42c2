"""After a kill the row may still be the dead process's: who waits for the next one is not taken in by it."""

from dataclasses import replace
from typing import cast

import pytest
from tests.drills_real.health import await_replaced

from lakeproof.errors import DeadlineExpired
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State

OLD = ProcessRow("flink-taskmanager-2", State.RUNNING, Health.HEALTHY, 7, 0, 0.0, 0, None, {}, "log", "")


class Rows:
    """The rows that a supervisor tells, one at each question; the last one again and again."""

    def __init__(self, *rows: ProcessRow) -> None:
        self._left = list(rows)

    def row(self, name: str) -> ProcessRow:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


def supervisor(*rows: ProcessRow) -> SupervisorClient:
    return cast(SupervisorClient, Rows(*rows))


def test_the_old_one_that_is_still_told_is_not_taken_for_the_next() -> None:
    gone, young = replace(OLD, pid=None), replace(OLD, pid=8, health=Health.STARTING)
    found = await_replaced(supervisor(OLD, gone, young, replace(OLD, pid=8)), OLD, 10)
    assert (found.pid, found.health) == (8, Health.HEALTHY)


def test_where_no_other_comes_the_last_row_is_told() -> None:
    with pytest.raises(DeadlineExpired, match=r"another flink-taskmanager-2 than pid 7.*pid=7"):
        await_replaced(supervisor(OLD), OLD, 0.05)
