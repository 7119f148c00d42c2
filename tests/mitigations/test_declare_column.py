"""Which columns are declared, and what is said of them."""

from typing import Any

import pytest
from tests.doubles.columns import columns_as_declared

from lakeproof.errors import InvalidInput, NotReady, TerminalError
from lakeproof.lake.capture.evolution import Evolution, find_table
from lakeproof.lake.sources import mariadb
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.schema_drift import repairs
from lakeproof_shop.scenarios.schema_drift.repairs import DeclareColumn


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, str]]:
    """The database's columns; one that is evolved is no longer unexpected."""
    made = columns_as_declared()

    def evolve(stack: Stack, table: str, column: str) -> Evolution:
        del made[table][column]
        source, file = find_table(table)
        return Evolution(source, file, column, "STRING", None, None, ())

    monkeypatch.setattr(mariadb, "columns", lambda *_: made)
    monkeypatch.setattr(repairs, "evolve", evolve)
    return made


def test_the_command_and_the_way_back_are_told_and_then_every_column_is_declared(
    tables: dict[str, dict[str, str]], stack: Stack
) -> None:
    tables["oltp.orders"]["gift_note"] = "varchar"
    assert repairs.DeclareColumn().typed(stack) == (
        "lakeproof lake evolve oltp.orders gift_note --yes (back: the same with --undo)"
    )
    assert repairs.DeclareColumn().run(stack) == "declared: oltp.orders.gift_note as STRING"
    assert repairs.DeclareColumn().run(stack) == "declared: nothing, no column is unexpected"
    assert repairs.DeclareColumn().typed(stack) == "nothing to declare"


def test_a_column_that_came_after_the_proposal_is_not_declared(
    tables: dict[str, dict[str, str]], stack: Stack
) -> None:
    tables["oltp.orders"]["gift_note"] = "varchar"
    held = repairs.DeclareColumn().hold(stack)
    tables["oltp.orders"]["coupon"] = "varchar"
    arguments = DeclareColumn.model_validate(held)
    assert arguments.run(stack).endswith("not touched, for it was not proposed: oltp.orders.coupon")
    with pytest.raises(TerminalError, match="was not named when this was proposed"):
        arguments.run(stack)


def test_a_renamed_column_is_left_to_its_own_repair(tables: dict[str, dict[str, str]], stack: Stack) -> None:
    tables["oltp.order_items"]["sku_code"] = tables["oltp.order_items"].pop("sku")
    assert repairs.DeclareColumn().typed(stack) == "nothing to declare"


def test_nothing_is_declared_while_a_table_of_it_lacks_another_column(
    tables: dict[str, dict[str, str]], stack: Stack
) -> None:
    tables["oltp.order_items"]["gift_note"] = "varchar"
    tables["oltp.orders"]["gift_note"] = "varchar"
    del tables["oltp.orders"]["item_count"]
    refused = "oltp.orders: item_count is missing in the same table, restore it first"
    assert repairs.DeclareColumn().typed(stack).startswith(f"nothing, it will be refused: {refused}")
    with pytest.raises(InvalidInput, match=refused):
        repairs.DeclareColumn().run(stack)
    assert "gift_note" in tables["oltp.order_items"]
    assert repairs.DeclareColumn(only="oltp.order_items.gift_note").run(stack).startswith("declared: oltp.order_")


def test_without_an_answer_of_the_database_it_says_how_the_command_looks(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: Any) -> dict[str, dict[str, str]]:
        raise NotReady("no answer", where="mysql")

    monkeypatch.setattr(mariadb, "columns", silent)
    assert "lakeproof lake evolve TABLE COLUMN" in repairs.DeclareColumn().typed(stack)
    with pytest.raises(NotReady):
        repairs.DeclareColumn().hold(stack)
