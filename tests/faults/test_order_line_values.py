"""Two faults of an order line that break nothing: a value that the lake's type just holds, a type that it reads."""

from contextlib import nullcontext
from typing import Any

import pytest

from lakeproof.lake.sources import mariadb
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.flink_restarts import faults as flink_restarts_faults
from lakeproof_shop.scenarios.schema_drift.faults import RetypedColumn
from lakeproof_shop.services.order.requests import MAX_ITEMS

INT_MOST = 2**31 - 1


class Lines:
    """oltp.order_items: row id → line, and the column's type."""

    def __init__(self) -> None:
        self.lines = {1: 1, 2: MAX_ITEMS, 3: 2}
        self.kind = "int"
        self._answer: Any = None

    def execute(self, statement: str, arguments: Any = None) -> None:
        if "MAX(line)" in statement:
            self._answer = (max(self.lines.values(), default=0),)
        elif statement.startswith("SELECT"):
            self._answer = (2, 1)
        elif statement.startswith("ALTER"):
            self.kind = statement.split()[5].lower()
        elif "WHERE id" in statement:
            self.lines[arguments[1]] += arguments[0]
        else:
            added, least = arguments
            self.lines = {row: line - added if line >= least else line for row, line in self.lines.items()}

    def fetchone(self) -> Any:
        return self._answer


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Lines:
    made = Lines()
    monkeypatch.setattr(mariadb, "as_root", lambda stack, seconds: nullcontext(made))
    found = {flink_restarts_faults.TABLE: made}
    monkeypatch.setattr(mariadb, "columns", lambda *_: {name: {"line": one.kind} for name, one in found.items()})
    return made


def test_one_row_gets_a_value_just_below_the_types_greatest_and_is_given_back(stack: Stack, table: Lines) -> None:
    before = dict(table.lines)
    assert not flink_restarts_faults.ExtremeValue().sign(stack).holds
    for _ in range(2):
        flink_restarts_faults.ExtremeValue().inject(stack)
    assert flink_restarts_faults.ExtremeValue().sign(stack).holds
    assert INT_MOST - 1000 < table.lines[2] <= INT_MOST
    assert [row for row, line in table.lines.items() if line != before[row]] == [2]
    for _ in range(2):
        flink_restarts_faults.ExtremeValue().remove(stack)
    assert table.lines == before


@pytest.mark.parametrize("kind", ["BIGINT", "MEDIUMINT"])
def test_a_column_has_the_other_type_until_it_is_given_the_shops_back(stack: Stack, table: Lines, kind: Any) -> None:
    arguments = RetypedColumn(kind=kind)
    assert not arguments.sign(stack).holds
    for _ in range(2):
        arguments.inject(stack)
    assert (table.kind, arguments.sign(stack).holds) == (kind.lower(), True)
    for _ in range(2):
        arguments.remove(stack)
    assert table.kind == "int"
