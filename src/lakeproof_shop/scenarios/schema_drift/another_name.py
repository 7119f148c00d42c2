"""Is the new column of a table the one that is gone, under another name? Told by its values, held against the lake's.

Two lists of columns cannot tell a rename from a column that was dropped while somebody added another one. A rename
changes no row. So in a row that nobody changed since, the new column has the value that the lake has of the gone one.
In a row that was changed since, the lake has NULL in the gone column.

If all rows have the same value, that proves nothing: it may be the new column's DEFAULT, which the newest rows of the
lake have as well. So the oldest rows are compared too, and the rows have to agree in two different values.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.lake.capture.columns import Difference
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.publish.now import publish_now
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources.source import Source
from lakeproof.proof.tables.canonical import Column, Kind, as_text
from lakeproof.proof.tables.dialects import TRINO
from lakeproof.proof.tables.readers import snapshot_of
from lakeproof.stack.stack import Stack

type Key = int | str

ROWS = 500
SECONDS = 30.0
SHOWN = 5
_PLAIN = re.compile(r"[\w.:-]+")
# Flink's type without its size → the kind as which its values are compared. Values of other types are text.
_COMPARED = {
    "INT": Kind.INTEGER,
    "BIGINT": Kind.INTEGER,
    "DECIMAL": Kind.DECIMAL,
    "TIMESTAMP": Kind.TIME,
    "BOOLEAN": Kind.BOOLEAN,
}


@dataclass(frozen=True)
class Likeness:
    """What a comparison of the two columns found.

    in_lake: how many rows were taken: of those whose gone column has a value in the lake, the oldest and the newest,
    ROWS at most in all. Rows that were deleted, or changed since the column is gone, count here alone.
    alike: in how many of them the new column has the same value. unlike: the keys of those in which it has another
    one, or NULL, in key order. values: how many different values the alike rows have.
    """

    in_lake: int
    alike: int
    unlike: tuple[Key, ...]
    values: int


def require_another_name(stack: Stack, source: Source, gone: Difference, new: Difference) -> None:
    """Return where the rows say that `new` is `gone` renamed, and where the table has no row; else raise.

    The rows say so where they agree in two values or more, or where every row of both tables has the same one.
    Raises: TerminalError where they say that `new` is another column; CouldNotLook where no row tells; as `likeness`.
    """
    found = likeness(stack, source, gone, new)
    pair = f"{new.column} is {gone.column} renamed"
    if found.unlike:
        keys = ", ".join([*map(str, found.unlike[:SHOWN]), *(["…"] if len(found.unlike) > SHOWN else [])])
        restore = (
            "lakeproof mitigate INCIDENT --action restore_column"
            if source.module.RESTORES_COLUMNS
            else f"a person has to add {gone.column} again, with the lake's values"
        )
        raise TerminalError(
            f"it is not so that {pair}: of {found.alike + len(found.unlike)} rows that were not changed since,"
            f" {len(found.unlike)} have another value in {new.column} than the lake has (keys {keys}), which would be"
            " overwritten",
            where=gone.table,
            next_action=f"{restore}; then drop or declare {new.column}",
        )
    if found.values > 1 or (found.values == 1 and _has_one_value(stack, source, gone, new)):
        return
    if found.alike:
        why = (
            f"{found.alike} rows have the lake's value, all of them the same one, and other rows have none or others"
        )
    elif found.in_lake:
        why = f"each of the {found.in_lake} rows that the lake has a value of is deleted, or was changed since"
    elif source.module.has_rows(stack, find_connector(source.connector), gone.table):
        why = "the lake has no value of it"
    else:
        return
    raise CouldNotLook(
        f"nothing tells whether {pair}: {why}",
        where=gone.table,
        next_action=f"look at both; if so: ALTER TABLE {gone.table} RENAME COLUMN {new.column} TO {gone.column}",
    )


def likeness(stack: Stack, source: Source, gone: Difference, new: Difference) -> Likeness:
    """Compare the two columns. Where rows differ, the lake is asked again at a state that was published after the
    first look: rows that were changed meanwhile, or whose change was on its way, have NULL there by then.

    Raises: CouldNotLook where the database or the lake does not answer, or where the table's key is not one column,
    or is itself one of the two; NotPublished where no such state is published; StatementFailed.
    """
    kind = _COMPARED.get(str(gone.declared).partition("(")[0].strip().upper(), Kind.TEXT)
    key = _key(stack, source, gone, new)
    in_lake = _in_lake(stack, source, gone, kind, key)
    there = _in_database(stack, source, new, kind, key, in_lake)
    alike = {row: value for row, value in there.items() if value == in_lake[row]}
    unlike = there.keys() - alike.keys()
    if unlike:
        publish_now(stack, source, SECONDS)
        again = _in_lake(stack, source, gone, kind, key, only=unlike)
        alike |= {row: there[row] for row in unlike if row in again and again[row] == there[row]}
        unlike = (unlike & again.keys()) - alike.keys()
    keys = tuple(row for row in in_lake if row in unlike)
    return Likeness(len(in_lake), len(alike), keys, len(set(alike.values())))


def _has_one_value(stack: Stack, source: Source, gone: Difference, new: Difference) -> bool:
    """Whether each row of the database has one and the same value in `new`, and each row of the lake in `gone`."""
    if len(source.module.values_in(stack, find_connector(source.connector), new.table, new.column)) != 1:
        return False
    with snapshot_of(stack, source, SECONDS) as database:
        named = database.dialect.quoted(new.column)
        if database.ask(f"SELECT 1 FROM {new.table} WHERE {named} IS NULL LIMIT 1"):
            return False
    _, answer = ask(
        stack, f'SELECT DISTINCT "{gone.column}" FROM {_lake_table(source, gone)} LIMIT 2', seconds=SECONDS
    )
    return len(answer.rows) == 1


def _key(stack: Stack, source: Source, gone: Difference, new: Difference) -> str:
    schema, _, name = gone.table.rpartition(".")
    with snapshot_of(stack, source, SECONDS) as database:
        keys = [str(column) for column, _, is_key in source.module.described(database.ask, schema, name) if is_key]
    if len(keys) != 1 or keys[0] == new.column:
        raise CouldNotLook(
            f"nothing tells whether {new.column} is {gone.column} renamed: its rows have no other key of one column",
            where=gone.table,
            next_action="look at both; a person has to rename it",
        )
    return keys[0]


def _in_lake(
    stack: Stack, source: Source, gone: Difference, kind: Kind, key: str, only: Collection[Key] = ()
) -> Mapping[Key, object]:
    """Key → the gone column's value at the newest published hash, in key order: of the oldest and the newest rows
    that have a value, or of the rows `only`.
    """
    value = TRINO.value(Column(gone.column, kind))
    sql = f'SELECT "{key}", {value} AS of_lake FROM {_lake_table(source, gone)} WHERE "{gone.column}" IS NOT NULL'
    if only:
        sql += f' AND "{key}" IN ({_literals(gone.table, only)})'
    else:
        ends = (f'SELECT * FROM ({sql} ORDER BY "{key}" {order} LIMIT {ROWS // 2})' for order in ("ASC", "DESC"))
        sql = f"{' UNION '.join(ends)} ORDER BY 1"
    _, answer = ask(stack, sql, seconds=SECONDS)
    return {_key_of(row): _comparable(kind, value) for row, value in answer.rows}


def _lake_table(source: Source, gone: Difference) -> str:
    table = next(file.table for file in load_sql_files(source.name) if file.source == gone.table)
    return f'{source.name}."{table}"'


def _in_database(
    stack: Stack, source: Source, new: Difference, kind: Kind, key: str, rows: Collection[Key]
) -> Mapping[Key, object]:
    """Key → the new column's value now, of the `rows` that are still there."""
    if not rows:
        return {}
    with snapshot_of(stack, source, SECONDS) as database:
        dialect = database.dialect
        named, value = dialect.quoted(key), dialect.value(Column(new.column, kind))
        keys = _literals(new.table, rows)
        found = database.ask(f"SELECT {named}, {value} FROM {new.table} WHERE {named} IN ({keys})")
    return {_key_of(row): _comparable(kind, value) for row, value in found}


def _key_of(value: Any) -> Key:
    """The same key from every engine; a UUID is text in the lake."""
    return value if isinstance(value, int) else str(value)


def _literals(table: str, keys: Collection[Key]) -> str:
    """The keys as SQL literals. Raises: CouldNotLook for a text key with a sign that no word, number or UUID has."""
    odd = next((key for key in keys if isinstance(key, str) and not _PLAIN.fullmatch(key)), None)
    if odd is not None:
        raise CouldNotLook(
            f"its rows cannot be compared with the lake: the key {odd!r} has odd signs",
            where=table,
            next_action="look at both columns; a person has to rename it",
        )
    return ", ".join(str(key) if isinstance(key, int) else f"'{key}'" for key in keys)


def _comparable(kind: Kind, value: Any) -> object:
    """The same object for the same value, whatever its scale; None for NULL."""
    if value is None:
        return None
    return Decimal(str(value)) if kind is Kind.DECIMAL else as_text(value)
