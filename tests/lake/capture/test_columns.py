"""The columns of database and SQL: what differs, and what does not."""

import re
import threading
from collections.abc import Iterator, Mapping
from importlib.resources import files

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from lakeproof.errors import TerminalError
from lakeproof.lake.capture import columns as columns_module
from lakeproof.lake.capture.columns import ColumnWatch, Differences, declared_columns, differences
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES, Source
from lakeproof.observability.lag_exporter import drifted_columns
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

DECLARED = {
    "oltp.t": {"id": "BIGINT", "line": "INT", "price": "DECIMAL(12, 2)", "at": "TIMESTAMP(6)", "note": "STRING"}
}
THERE = {"oltp.t": {"id": "bigint", "line": "int", "price": "decimal", "at": "datetime", "note": "varchar"}}


def changed(**columns: str | None) -> dict[str, dict[str, str]]:
    merged = {**THERE["oltp.t"], **columns}
    return {"oltp.t": {name: kind for name, kind in merged.items() if kind is not None}}


def test_columns_as_declared_differ_in_nothing() -> None:
    found = differences(THERE, DECLARED)
    assert (found.unexpected, found.unreadable) == ((), ())


def test_a_column_that_is_not_declared_is_unexpected() -> None:
    found = differences(changed(gift="varchar"), DECLARED)
    assert ([str(each) for each in found.unexpected], found.unreadable) == (["oltp.t.gift"], ())


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("line", "varchar"),
        ("line", "bigint"),
        ("line", "decimal"),
        ("price", "text"),
        ("at", "varchar"),
        ("note", None),
        ("id", None),
    ],
)
def test_a_declared_column_that_is_gone_or_of_a_type_that_may_not_be_read(column: str, kind: str | None) -> None:
    found = differences(changed(**{column: kind}), DECLARED)
    assert ([(each.column, each.kind) for each in found.unreadable], found.unexpected) == ([(column, kind)], ())


@pytest.mark.parametrize(
    ("column", "kind"), [("line", "smallint"), ("id", "int"), ("note", "int"), ("note", "jsonb"), ("price", "int")]
)
def test_a_type_whose_values_can_be_read_is_no_difference(column: str, kind: str) -> None:
    assert differences(changed(**{column: kind}), DECLARED).unreadable == ()


def test_a_table_that_does_not_exist_yet_differs_in_nothing() -> None:
    found = differences({"oltp.t": {}}, DECLARED)
    assert (found.unexpected, found.unreadable) == ((), ())


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_captured_table_is_declared_with_its_columns(source: Source) -> None:
    declared = declared_columns(source)
    assert set(declared) == set(find_connector(source.connector).sources)
    assert all(len(columns) > 1 and "PRIMARY" not in columns for columns in declared.values())


def columns_of_schema(text: str) -> Iterator[tuple[str, set[str]]]:
    """Table → columns of each CREATE TABLE of a schema."""
    for table, body in re.findall(r"CREATE TABLE IF NOT EXISTS ([\w.]+) \(\n(.*?)\n\)", text, re.DOTALL):
        lines = [line.strip() for line in body.splitlines() if re.match(r"    [a-z]", line)]
        yield table, {line.split()[0] for line in lines}


def test_what_the_shop_has_in_a_captured_table_is_what_the_sql_declares() -> None:
    for service in ("order", "payment", "fulfillment", "notification", "support"):
        source, schema = (OLTP, "") if service == "order" else (SHOP, f"{service}.")
        text = (files("lakeproof_shop.services") / service / "schema.sql").read_text(encoding="utf-8")
        found = {f"{schema}{table}": columns for table, columns in columns_of_schema(text)}
        wanted = {table: set(columns) for table, columns in declared_columns(source).items() if table in found}
        assert wanted
        for table, columns in wanted.items():
            assert found[table] == columns, table


def test_the_exporter_tells_of_each_table_and_of_none_while_nobody_answers(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = ColumnWatch(Stack(Settings()), OLTP, threading.Event())
    registry = CollectorRegistry()
    registry.register(drifted_columns([watch]))
    assert "lakeproof_drifted_columns{" not in generate_latest(registry).decode()
    there = {
        table: {column: "datetime" if kind == "TIMESTAMP(6)" else "int" for column, kind in columns.items()}
        for table, columns in declared_columns(OLTP).items()
    }
    there["oltp.orders"]["gift"] = "varchar"
    there["oltp.order_items"]["sku_code"] = there["oltp.order_items"].pop("sku")
    there["oltp.order_items"]["line"] = "bigint"
    monkeypatch.setattr(columns_module, "look", lambda stack, source: differences(there, declared_columns(OLTP)))
    stopping = threading.Event()
    stopping.wait = lambda timeout=None: stopping.set() or True  # type: ignore[method-assign, func-returns-value]
    watch = ColumnWatch(Stack(Settings()), OLTP, stopping)
    watch.run()
    registry = CollectorRegistry()
    registry.register(drifted_columns([watch]))
    page = generate_latest(registry).decode()
    assert 'lakeproof_drifted_columns{database="oltp",table="oltp.orders"} 1.0' in page
    assert 'lakeproof_drifted_columns{database="oltp",table="oltp.order_items"} 2.0' in page
    assert 'lakeproof_drifted_columns{database="oltp",table="oltp.order_events"} 0.0' in page


def test_no_error_ends_the_look_at_columns_and_none_leaves_a_figure_of_before(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop, answers = threading.Event(), [TerminalError("the list of added columns is broken")] * 2
    monkeypatch.setattr(columns_module, "LOOK_SECONDS", 0.01)
    watch, seen = ColumnWatch(Stack(Settings()), OLTP, stop), list[Mapping[str, int] | None]()
    watch.drifted = {"oltp.orders": 1}

    def look(stack: Stack, source: Source) -> Differences:
        seen.append(watch.drifted)
        if answers:
            raise answers.pop()
        stop.set()
        return differences({}, declared_columns(OLTP))

    monkeypatch.setattr(columns_module, "look", look)
    watch.run()
    assert seen == [{"oltp.orders": 1}, None, None]
    assert watch.drifted is not None and set(watch.drifted.values()) == {0}
    assert [record.message for record in caplog.records] == ["could not look at the columns of oltp"]
