"""After a kill the row may still be the dead process's: who waits for the next one is not taken in by it."""

from dataclasses import replace
from typing import cast

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import await_replaced, kill_and_await
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State

OLD = ProcessRow("flink-taskmanager-2", State.RUNNING, Health.HEALTHY, 7, 0, 0.0, 0, None, {}, "log", "")
GONE, YOUNG, NEW = replace(OLD, pid=None), replace(OLD, pid=8, health=Health.STARTING), replace(OLD, pid=8)
NO_ANSWER = None


class Supervisor:
    """The rows that a supervisor tells of each component, one at each question; the last one again and again."""

    def __init__(self, **rows: list[ProcessRow | None]) -> None:
        self._rows = rows
        self.killed: list[str] = []

    def row(self, name: str) -> ProcessRow:
        left = self._rows[name]
        found = left.pop(0) if len(left) > 1 else left[0]
        if found is NO_ANSWER:
            raise CouldNotLook("no answer")
        return replace(found, name=name)

    def kill(self, name: str) -> int:
        self.killed.append(name)
        return 1

    def left(self) -> list[int]:
        return [len(rows) for rows in self._rows.values()]


def client(supervisor: Supervisor) -> SupervisorClient:
    return cast(SupervisorClient, supervisor)


def test_the_old_one_that_is_still_told_and_a_look_without_an_answer_are_not_taken_for_the_next() -> None:
    there = Supervisor(worker=[OLD, NO_ANSWER, GONE, YOUNG, NEW])
    await_replaced(client(there), [replace(OLD, name="worker")], Deadline(10))
    assert there.left() == [1]


def test_all_of_several_are_killed_and_awaited() -> None:
    there = Supervisor(one=[OLD, OLD, NEW], other=[OLD, GONE, YOUNG, NEW])
    kill_and_await(client(there), ["one", "other"], Deadline(10))
    assert (there.killed, there.left()) == (["one", "other"], [1, 1])


def test_where_no_other_comes_the_last_row_is_told() -> None:
    with pytest.raises(DeadlineExpired, match=r"another worker than pid 7.*pid=7"):
        await_replaced(client(Supervisor(worker=[OLD])), [replace(OLD, name="worker")], Deadline(0.05))
