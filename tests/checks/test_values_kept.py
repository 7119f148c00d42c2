"""Whether what was written into an unannounced column is kept, or in the lake, over a database made up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from lakeproof.checks.check import CheckContext
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.lake.job.added_columns import AddedColumn, Stage, note
from lakeproof.lake.query.answer import Answer
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.kept_values import keep_values
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.schema_drift import checks, faults
from lakeproof_shop.scenarios.schema_drift.checks import ValuesKept

COLUMN = "oltp.orders.unannounced"
ARGUMENTS = ValuesKept(seconds=0.1)


class Orders:
    """The table's rows, by id, with what was written into the new column."""

    def __init__(self, count: int) -> None:
        self.rows: dict[int, str | None] = dict.fromkeys(range(1, count + 1))
        self.key = "id"
        self._answer: list[tuple[Any, ...]] = []

    def execute(self, statement: str, arguments: Any = None) -> None:
        if "information_schema" in statement:
            self._answer = [(self.key, ""), ("status", "")]
        elif statement.startswith("UPDATE"):
            value, row = arguments
            self.rows[row] = value
        elif "IS NOT NULL" in statement:
            self._answer = [(row,) for row, value in self.rows.items() if value is not None]
        elif "DESC" in statement:
            self._answer = [(row,) for row in sorted(self.rows, reverse=True)][: faults.WRITTEN]

    def fetchone(self) -> Any:
        return next(iter(self._answer), None)

    def fetchall(self) -> Any:
        return self._answer


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> Orders:
    made = Orders(7)

    @contextmanager
    def as_root(stack: Stack, seconds: float) -> Iterator[Orders]:
        yield made

    @contextmanager
    def at_one_instant(*_: object) -> Iterator[Any]:
        yield lambda sql: [(row,) for row in made.rows if str(row) in sql.rpartition("(")[2].rstrip(")").split(", ")]

    monkeypatch.setattr(mariadb, "as_root", as_root)
    monkeypatch.setattr(mariadb, "at_one_instant", at_one_instant)
    return made


@pytest.fixture
def context(stack: Stack) -> CheckContext:
    return CheckContext(stack, Deadline(5))


def judged(context: CheckContext, *kept: str, before_too: tuple[str, ...] = ()) -> tuple[Outcome, float | None]:
    if before_too:
        keep_values(context.stack, "oltp", {COLUMN: before_too})
    before = ARGUMENTS.baseline(context)
    assert before.verdict.outcome is Outcome.PASSED
    faults.DriftedSchema().inject(context.stack)
    if kept:
        keep_values(context.stack, "oltp", {COLUMN: kept})
    verdict = ARGUMENTS.verify(context, before)
    return verdict.outcome, verdict.numbers.get("lost_values")


WRITTEN = tuple(f"unannounced-{row}" for row in (7, 6, 5, 4, 3))


def test_values_that_a_repair_kept_are_not_lost(context: CheckContext, orders: Orders) -> None:
    assert judged(context, *WRITTEN) == (Outcome.PASSED, 0)
    assert sorted(filter(None, orders.rows.values())) == sorted(WRITTEN)


@pytest.mark.parametrize(("kept", "lost"), [((), 5), (WRITTEN[:4], 1), (("something else",), 5)])
def test_values_that_nobody_kept_are_lost(
    context: CheckContext, orders: Orders, kept: tuple[str, ...], lost: float
) -> None:
    assert judged(context, *kept) == (Outcome.FAILED, lost)


def test_what_an_earlier_repair_kept_is_not_counted(context: CheckContext, orders: Orders) -> None:
    assert judged(context, before_too=WRITTEN) == (Outcome.FAILED, 5)


def test_a_value_whose_row_the_shop_deleted_is_asked_for_by_nobody(context: CheckContext, orders: Orders) -> None:
    before = ARGUMENTS.baseline(context)
    faults.DriftedSchema().inject(context.stack)
    del orders.rows[7]
    keep_values(context.stack, "oltp", {COLUMN: WRITTEN[1:]})
    assert ARGUMENTS.verify(context, before).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("in_lake", "outcome"),
    [
        ([[row, f"unannounced-{row}"] for row in (3, 4, 5, 6, 7)], Outcome.PASSED),
        ([[row, f"unannounced-{row}"] for row in (3, 4, 5, 6)], Outcome.FAILED),
        ([[row, f"unannounced-{row + 1}"] for row in (3, 4, 5, 6, 7)], Outcome.FAILED),
        ([[row, None] for row in (3, 4, 5, 6, 7)], Outcome.FAILED),
    ],
)
def test_values_of_a_declared_column_are_in_their_rows_of_the_lake(
    context: CheckContext,
    orders: Orders,
    monkeypatch: pytest.MonkeyPatch,
    in_lake: list[list[Any]],
    outcome: Outcome,
) -> None:
    note(context.stack, OLTP, AddedColumn("oltp.orders", "unannounced", "STRING", Stage.DONE))
    monkeypatch.setattr(checks, "ask", lambda *_, **__: (None, Answer("trino", (), tuple(in_lake), 0.1)))
    assert judged(context)[0] is outcome


def test_a_table_without_an_id_gets_the_column_and_no_value(context: CheckContext, orders: Orders) -> None:
    orders.key = "operation_key"
    assert judged(context)[0] is Outcome.UNKNOWN
    assert not any(orders.rows.values())


def test_where_nothing_was_written_nothing_is_claimed(context: CheckContext, orders: Orders) -> None:
    orders.rows.clear()
    assert judged(context)[0] is Outcome.UNKNOWN
    healthy = replace(context, fault_made=False)
    before = ARGUMENTS.baseline(healthy)
    assert ARGUMENTS.verify(healthy, before).outcome is Outcome.PASSED
