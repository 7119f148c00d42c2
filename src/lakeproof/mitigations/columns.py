"""Repairs of a column."""

import re
from collections.abc import Mapping
from importlib.resources import files

import pymysql

from lakeproof.errors import NotReady, TerminalError
from lakeproof.lake.capture.columns import Difference, look
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.kept_values import keep_values
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, left_out, listed, named
from lakeproof.mitigations.named import hold as hold_to
from lakeproof.stack.stack import Stack

SECONDS = 30.0

READ_SECONDS = 60.0

MOST_ROWS = 100

# Without strict mode MariaDB changes a value that does not fit into one that does, 0 for example, and only warns.
STRICT = "SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@sql_mode, ''), 'STRICT_ALL_TABLES')"

# Flink's whole numbers, in bytes.
BYTES = {"INT": 4, "BIGINT": 8}


class RestoreColumnType(Named, Mitigation):
    """Correct the rows that do not fit, then give the column its type back.

    Give a column of the order database back the type that the shop's schema says, after its rows fit it again.

    A row whose value does not fit gets the value that the lake last could read, at the newest published hash. Where
    the lake never had the row, nothing is changed: a person has to say what is right. The value that did not fit may
    be what somebody meant, so it is kept, with its row's key, before it is overwritten (kept_values.py).
    """

    def typed(self, stack: Stack) -> str:
        """The statements, with the values that would be overwritten; only their form where the database is silent."""
        try:
            found = named(self, _changed(stack))
        except NotReady:
            return (
                "UPDATE … SET COLUMN = (what the lake last read) for each row that does not fit;"
                " ALTER TABLE … MODIFY …"
            )
        told, lost = [], []
        for each in found:
            rows = _unfit(stack, each)
            told.append(
                f"UPDATE {each.table} SET {each.column} = … WHERE id = … for each of {len(rows)} rows; "
                f"ALTER TABLE {each.table} MODIFY {each.column} {definition(each.table, each.column)}"
            )
            lost += [f"{each} of id {key}: {value}" for key, value in rows.items()]
        overwritten = f"; values that are overwritten: {listed(lost)}" if lost else ""
        return f"{'; '.join(told) or 'nothing to restore'}{overwritten}"

    def run(self, stack: Stack) -> str:
        """Correct the rows, then the type; safe where both are right.

        Raises: TerminalError where a person has to look, or the old values cannot be kept, with that column not
        touched; NotReady where the database does not do it, or a value that does not fit was written meanwhile: some
        rows may be corrected by then.
        """
        done = []
        changed = _changed(stack)
        found = named(self, changed)
        for each in found:
            rows = _unfit(stack, each)
            right = _last_read(stack, each, rows)
            kept = f"; what they had is kept in {keep_values(stack, OLTP.name, {str(each): rows})}" if rows else ""
            try:
                corrected = _correct(stack, each, rows, right)
            except NotReady as error:
                words = f"{each} is not {each.declared} yet: {error.what}{kept}"
                raise NotReady(words, where=error.where, next_action=error.next_action) from error
            left = len(right) - corrected
            meanwhile = f", {left} left, for somebody had changed them meanwhile" if left else ""
            done.append(f"{each} is {each.declared} again, {corrected} rows corrected{meanwhile}{kept}")
        return f"{'; '.join(done) or 'nothing to restore, every column has its type'}{left_out(changed, found)}"

    def hold(self, stack: Stack) -> dict[str, str]:
        """The columns that have another type now. Raises: NotReady where the database gives no answer."""
        return hold_to(self, _changed(stack))


def _correct(stack: Stack, each: Difference, rows: Mapping[int, str], right: Mapping[int, int]) -> int:
    """Gives how many rows were corrected. Raises: NotReady."""
    corrected = 0
    with mariadb.as_root(stack, SECONDS) as cursor:
        mariadb.mark_ours(cursor)
        cursor.execute(STRICT)
        for key, value in right.items():
            # Only where nobody has changed the row's value since.
            update = f"UPDATE {each.table} SET {each.column} = %s WHERE id = %s AND CONCAT({each.column}) = %s"
            cursor.execute(update, (value, key, rows[key]))
            corrected += cursor.rowcount
        try:
            cursor.execute(f"ALTER TABLE {each.table} MODIFY {each.column} {definition(each.table, each.column)}")
        except pymysql.DataError as error:
            # The server's own words may tell the value, so they are not passed on.
            raise NotReady(
                f"a value that does not fit was written meanwhile (error {error.args[0]})",
                where=str(each),
                next_action="do this again",
            ) from error
    return corrected


def definition(table: str, column: str) -> str:
    """The column's definition in the order service's schema. Raises: TerminalError where it has none."""
    found = re.search(rf"^ +{re.escape(column)} (.+?),?$", _body(table), re.MULTILINE)
    if found is None:
        raise TerminalError(
            "the shop's schema has no such column",
            where=f"{table}.{column}",
            next_action="where it was added by `lakeproof lake evolve`: add it again, or take it back by --undo",
        )
    return found[1]


def keys_with(table: str, column: str) -> dict[str, str]:
    """Name → definition of the keys in the order service's schema that have that column; not the primary one."""
    keys = re.findall(r"^ +((?:UNIQUE )?KEY (\w+) \(([\w, ]+)\)),?$", _body(table), re.MULTILINE)
    return {name: key for key, name, columns in keys if column in columns.split(", ")}


def _body(table: str) -> str:
    schema = (files("lakeproof_shop.services") / "order" / "schema.sql").read_text(encoding="utf-8")
    found = re.search(rf"CREATE TABLE IF NOT EXISTS {re.escape(table)} \((.*?)\n\)", schema, re.DOTALL)
    return found[1] if found else ""


def _changed(stack: Stack) -> list[Difference]:
    """Columns that have another type. Raises: TerminalError for a column that is no whole number in the lake."""
    found = [each for each in look(stack, OLTP).unreadable if each.kind is not None]
    for each in found:
        if each.declared not in BYTES:
            raise TerminalError(
                f"it is {each.kind}, the lake wants {each.declared}: only whole numbers are restored here",
                where=str(each),
                next_action="correct its rows, then ALTER TABLE … MODIFY …",
            )
    return found


def _unfit(stack: Stack, each: Difference) -> Mapping[int, str]:
    """Key → value, as text, of the rows that do not fit the declared type."""
    most = 2 ** (8 * BYTES[str(each.declared)] - 1) - 1
    text = f"CONCAT({each.column})"
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(
            f"SELECT id, {text} FROM {each.table} WHERE {each.column} IS NOT NULL AND NOT ({text} REGEXP"
            f" '^-?[0-9]{{1,18}}$' AND CAST({text} AS SIGNED) BETWEEN %s AND %s) LIMIT {MOST_ROWS + 1}",
            (-most - 1, most),
        )
        return {int(key): str(value) for key, value in cursor.fetchall()}


def _last_read(stack: Stack, each: Difference, rows: Mapping[int, str]) -> dict[int, int]:
    """Key → the value at the newest published hash, of each of these rows. Raises: TerminalError."""
    if not rows:
        return {}
    keys = ", ".join(map(str, rows))
    _, answer = ask(stack, f"SELECT id, {each.column} FROM {each.table} WHERE id IN ({keys})", seconds=READ_SECONDS)
    right = {int(key): int(value) for key, value in answer.rows if value is not None}
    missing = sorted(rows.keys() - right.keys())
    if missing or len(rows) > MOST_ROWS:
        raise TerminalError(
            f"the lake does not know what was right in the rows {missing[:MOST_ROWS] or 'beyond the first'}",
            where=str(each),
            next_action="correct them by hand, then run this again",
        )
    return right
