"""Which columns are dropped, which are refused, and what becomes of their values."""

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.resources import files
from pathlib import Path

import pytest
from tests.doubles.columns import columns_as_declared

from lakeproof.checks import capture
from lakeproof.checks.check import CheckContext
from lakeproof.checks.verdict import Outcome
from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady, TerminalError
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources import mariadb, postgres
from lakeproof.lake.sources.engine import Keep
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.columns import missing_columns, unexpected_columns, unreadable_columns
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.schema_drift import repairs
from lakeproof_shop.scenarios.schema_drift.repairs import DropUnexpectedColumn


class Database:
    """MariaDB's columns, and the values of those that somebody added."""

    def __init__(self) -> None:
        self.tables = columns_as_declared()
        self.values: list[str] = []
        self.written_meanwhile: list[str] = []

    def columns(self, *_: object) -> dict[str, dict[str, str]]:
        return self.tables

    def values_in(self, *_: object) -> list[str]:
        return self.values

    def drop_column(self, stack: object, connector: object, table: str, column: str, keep: Keep) -> None:
        keep([*self.values, *self.written_meanwhile])
        del self.tables[table][column]


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    made = Database()
    for name in ("columns", "values_in", "drop_column"):
        monkeypatch.setattr(mariadb, name, getattr(made, name))
    yield made


def run(stack: Stack) -> str:
    return repairs.DropUnexpectedColumn().run(stack)


def test_a_column_that_nobody_knows_is_dropped_and_its_values_kept_for_its_owner(
    database: Database, stack: Stack
) -> None:
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    database.values = ["for Ann", "for Binh"]
    assert unexpected_columns(stack, 1.0, OLTP) == "oltp.orders.gift_note"
    typed = repairs.DropUnexpectedColumn().typed(stack)
    assert typed == (
        "ALTER TABLE oltp.orders DROP COLUMN gift_note; values that go with it: "
        "oltp.orders.gift_note: for Ann, for Binh"
    )
    assert "gift_note" in database.tables["oltp.orders"]
    assert not (stack.state_dir / "kept-values").exists()
    dropped, _, path = run(stack).partition("; 2 different values kept in ")
    assert dropped == "dropped: oltp.orders.gift_note"
    assert json.loads(Path(path).read_text())["values"] == {"oltp.orders.gift_note": ["for Ann", "for Binh"]}
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert unexpected_columns(stack, 1.0, OLTP) == "none"
    assert run(stack) == "dropped: nothing, no column is unexpected"


def test_values_that_were_written_after_the_look_are_kept_too(database: Database, stack: Stack) -> None:
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    database.values, database.written_meanwhile = ["for Ann"], ["for Binh"]
    path = Path(run(stack).rpartition("; 2 different values kept in ")[2])
    assert json.loads(path.read_text())["values"] == {"oltp.orders.gift_note": ["for Ann", "for Binh"]}


def test_too_many_values_that_were_written_after_the_look_stay(database: Database, stack: Stack) -> None:
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    database.written_meanwhile = [str(number) for number in range(repairs.MOST)]
    with pytest.raises(TerminalError, match="20 different values or more"):
        run(stack)
    assert "gift_note" in database.tables["oltp.orders"]


class Recorder:
    """A cursor, or a session, of which the column holds one value; keeps what was executed."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def execute(self, sql: str) -> None:
        self.done.append(sql)

    def fetchall(self) -> list[tuple[bytes]]:
        return [(b"for Ann",)]

    def rows(self, sql: str) -> list[tuple[str]]:
        self.done.append(sql)
        return [("for Ann",)]

    def transaction(self) -> nullcontext[None]:
        return nullcontext()


@pytest.mark.parametrize("engine", ["mariadb", "postgres"])
def test_a_column_is_read_and_dropped_under_one_lock_and_not_dropped_where_it_cannot_be_kept(
    engine: str, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Recorder()
    monkeypatch.setattr(mariadb, "as_root", lambda *_: nullcontext(made))
    monkeypatch.setattr(postgres_session, "connection", lambda *_, **__: nullcontext(made))
    drop = {"mariadb": mariadb, "postgres": postgres}[engine].drop_column
    connector = find_connector(OLTP.connector)

    def full(values: list[str]) -> None:
        raise TerminalError("no place for them", where="disk")

    with pytest.raises(TerminalError):
        drop(stack, connector, "oltp.orders", "gift_note", full)
    words = [sql.split()[0] for sql in made.done if not sql.startswith(("SET", "SELECT GET_LOCK"))]
    assert words == ["LOCK", "SELECT"]
    made.done.clear()
    drop(stack, connector, "oltp.orders", "gift_note", lambda values: made.done.append(f"kept {values}"))
    words = [sql.split()[0] for sql in made.done if not sql.startswith(("SET", "SELECT GET_LOCK"))]
    assert words == ["LOCK", "SELECT", "kept", "ALTER"]
    assert "kept ['for Ann']" in made.done


def test_values_that_cannot_be_kept_stay_in_the_database(database: Database, stack: Stack) -> None:
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    database.values = ["for Ann"]
    (stack.state_dir / "kept-values").write_text("a file where the folder should be")
    with pytest.raises(TerminalError, match="the values cannot be kept"):
        run(stack)
    assert "gift_note" in database.tables["oltp.orders"]


def test_where_the_database_does_not_drop_it_the_file_is_named(
    database: Database, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    database.values = ["for Ann"]

    def locked(*_: object) -> None:
        raise NotReady("Lock wait timeout exceeded", where="mysql", next_action="repeat it")

    monkeypatch.setattr(mariadb, "drop_column", locked)
    with pytest.raises(NotReady, match=r"gift_note is not dropped: Lock wait .* 1 different values kept in .*oltp-"):
        run(stack)


def test_a_column_of_the_shops_own_schema_is_not_dropped(database: Database, stack: Stack) -> None:
    database.tables["oltp.orders"]["card_fingerprint"] = "varchar"
    with pytest.raises(TerminalError, match="the shop's own schema has a column card_fingerprint"):
        run(stack)
    assert "card_fingerprint" in database.tables["oltp.orders"]


def test_a_column_that_came_after_the_proposal_is_not_dropped(database: Database, stack: Stack) -> None:
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    held = repairs.DropUnexpectedColumn().hold(stack)
    assert held == {"only": "oltp.orders.gift_note"}
    database.tables["oltp.orders"]["coupon"] = "varchar"
    arguments = DropUnexpectedColumn.model_validate(held)
    assert arguments.typed(stack) == "ALTER TABLE oltp.orders DROP COLUMN gift_note"
    assert arguments.run(stack) == (
        "dropped: oltp.orders.gift_note; not touched, for it was not proposed: oltp.orders.coupon"
    )
    assert "coupon" in database.tables["oltp.orders"]
    with pytest.raises(TerminalError, match=r"coupon was not named when this was proposed"):
        arguments.run(stack)


def test_without_an_answer_of_the_database_there_is_no_proposal(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object) -> dict[str, dict[str, str]]:
        raise NotReady("no answer", where="mysql")

    monkeypatch.setattr(mariadb, "columns", silent)
    with pytest.raises(NotReady):
        repairs.DropUnexpectedColumn().hold(stack)


def test_what_the_proposal_did_not_show_is_not_dropped(database: Database, stack: Stack) -> None:
    held = repairs.DropUnexpectedColumn().hold(stack)
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    with pytest.raises(TerminalError, match=r"gift_note was not named"):
        DropUnexpectedColumn.model_validate(held).run(stack)


def test_what_the_timeline_calls_the_step_is_the_same_with_and_without_its_columns() -> None:
    assert DropUnexpectedColumn(only="oltp.orders.x").model_dump() == DropUnexpectedColumn().model_dump()


def test_a_column_of_another_type_or_gone_is_named_and_not_touched(database: Database, stack: Stack) -> None:
    database.tables["oltp.order_items"]["line"] = "varchar"
    del database.tables["oltp.orders"]["total"]
    assert unreadable_columns(stack, 1.0, OLTP) == "oltp.order_items.line"
    assert missing_columns(stack, 1.0, OLTP) == "oltp.orders.total"
    assert run(stack) == "dropped: nothing, no column is unexpected"


def test_a_renamed_column_is_not_dropped(database: Database, stack: Stack) -> None:
    database.tables["oltp.order_items"]["sku_code"] = database.tables["oltp.order_items"].pop("sku")
    assert unexpected_columns(stack, 1.0, OLTP) == "none"
    assert run(stack) == "dropped: nothing, no column is unexpected"
    assert "sku_code" in database.tables["oltp.order_items"]


def test_of_two_renamed_columns_of_one_table_none_is_dropped(database: Database, stack: Stack) -> None:
    items = database.tables["oltp.order_items"]
    items["sku_code"], items["pieces"] = items.pop("sku"), items.pop("quantity")
    assert unexpected_columns(stack, 1.0, OLTP) == "oltp.order_items.pieces oltp.order_items.sku_code"
    with pytest.raises(TerminalError, match="is missing in the same table, and sku_code may hold its values"):
        run(stack)
    assert {"sku_code", "pieces"} <= items.keys()


def test_a_column_is_dropped_although_another_table_lacks_one(database: Database, stack: Stack) -> None:
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    del database.tables["oltp.order_items"]["sku"]
    assert run(stack) == "dropped: oltp.orders.gift_note"


def test_the_check_fails_by_either_difference_and_is_unknown_without_an_answer(
    database: Database, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = CheckContext(stack, Deadline(5))
    before = capture.ColumnsAgree().baseline(context)
    assert before.verdict.outcome is Outcome.PASSED
    database.tables["oltp.orders"]["gift_note"] = "varchar"
    verdict = capture.ColumnsAgree().verify(context, before)
    assert (verdict.outcome, verdict.summary) == (Outcome.FAILED, "oltp.orders.gift_note is not declared")
    del database.tables["oltp.orders"]["gift_note"]
    database.tables["oltp.orders"]["version"] = "text"
    verdict = capture.ColumnsAgree().verify(context, before)
    assert verdict.summary == "oltp.orders.version is text, the lake's SQL wants INT"

    def silent(*_: object) -> dict[str, dict[str, str]]:
        raise NotReady("no answer", where="mysql")

    monkeypatch.setattr(mariadb, "columns", silent)
    with pytest.raises(NotReady):
        capture.ColumnsAgree().verify(context, before)


@pytest.mark.parametrize(("column", "is_there"), [("lease_until", True), ("wrong", False)])
def test_a_word_of_a_schemas_comment_is_not_taken_for_a_column_of_the_shop(column: str, is_there: bool) -> None:
    assert re.search(rf"\b{column}\b", (files("lakeproof_shop.services") / "fulfillment" / "schema.sql").read_text())
    assert repairs.in_shops_schema(column) is is_there
