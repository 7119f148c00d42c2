"""The job's SQL files."""

from pathlib import Path

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.job.sql_files import load_sql_files, read_sql_file, split_statements
from lakeproof.lake.sources.source import OLTP

GOOD = """
-- a comment; with a semicolon
CREATE TEMPORARY TABLE oltp_notes (id BIGINT, note STRING) WITH ('connector' = 'transaction-aligner');
CREATE TABLE IF NOT EXISTS notes (id BIGINT, note STRING);
INSERT INTO notes SELECT id, note FROM oltp_notes WHERE note <> 'a;b -- c';
"""


def test_semicolons_and_dashes_inside_quotes_split_nothing() -> None:
    assert len(split_statements(GOOD)) == 3
    assert split_statements(GOOD)[2].endswith("'a;b -- c'")


def test_the_projects_own_files_are_well_formed_and_in_order() -> None:
    assert [file.table for file in load_sql_files(OLTP.name)] == [
        "cdc_heartbeat",
        "order_events",
        "order_items",
        "orders",
    ]


def test_an_events_table_has_no_primary_key_so_that_a_second_row_is_seen() -> None:
    events = next(file for file in load_sql_files(OLTP.name) if file.table == "order_events")
    assert not any("PRIMARY KEY" in statement for statement in events.statements)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (GOOD.replace("note STRING);", "at TIMESTAMP(3));"), "precision of 6"),
        (GOOD.replace("EXISTS notes", "EXISTS others"), "must declare one source"),
        (GOOD + "DROP TABLE notes;", "only CREATE"),
        ("", "must declare one source"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_submitted(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "notes.sql"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=why):
        read_sql_file(path)


def test_a_folder_without_files_is_said_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no SQL file"):
        load_sql_files(OLTP.name, tmp_path)


def test_the_columns_are_those_that_the_source_table_declares() -> None:
    files = {file.table: file for file in load_sql_files(OLTP.name)}
    assert files["order_items"].columns == {
        "id": "BIGINT",
        "order_id": "BIGINT",
        "line": "INT",
        "sku": "STRING",
        "quantity": "INT",
        "unit_price": "DECIMAL(12, 2)",
    }
    assert files["order_events"].columns["at"] == "TIMESTAMP(6)"


def test_a_column_read_as_text_is_cast_in_the_insert_and_nothing_else_changes() -> None:
    file = next(each for each in load_sql_files(OLTP.name) if each.table == "order_items")
    changed = file.reading_as_text("unit_price")
    assert changed.columns == file.columns | {"unit_price": "STRING"}
    assert changed.statements[1] == file.statements[1]
    assert (
        "SELECT id, order_id, line, sku, quantity, TRY_CAST(`unit_price` AS DECIMAL(12, 2))" in changed.statements[2]
    )
    assert changed.source == file.source


@pytest.mark.parametrize("column", ["id", "colour"])
def test_a_key_or_a_column_that_is_not_there_cannot_be_read_as_text(column: str) -> None:
    file = next(each for each in load_sql_files(OLTP.name) if each.table == "order_items")
    with pytest.raises(InvalidInput, match=f"{column} cannot be read as text"):
        file.reading_as_text(column)
