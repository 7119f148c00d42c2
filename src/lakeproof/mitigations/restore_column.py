"""Bring a dropped column of the order database back, with the values that the lake has.

To drop a column changes no row, so the lake keeps the value that each row had. The lake is read at a state that was
published after this call, in which no row that was written before the drop is missing. A row that was changed since
has NULL in the lake, and a person has to say what is right. Two more kinds of column are filled. One is a column that
a repair left behind half-way: it allows NULL although the shop's schema does not. The other seems to be renamed and
is not: the new column in its table has other values than the lake has of it (another_name.py).

Nobody reads or writes the table until all of it is filled. Where a repair was cut off in that time, the shop has gone
on with the NULLs of rows that were not filled, and `check` lists what it did to them.
"""

import time

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, LakeproofError, TerminalError
from lakeproof.lake.capture.columns import Difference, declared_columns, look
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.publish import history
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.another_name import likeness
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.restore_column_type import definition, keys_with
from lakeproof.stack.stack import Stack

READ_SECONDS, LOOK_SECONDS = 60.0, 5.0


def typed(stack: Stack, arguments: Arguments) -> str:
    """The statements, for each column; only their form where the database or the lake does not answer."""
    try:
        found, unjudged = _missing(stack)
    except LakeproofError:
        return (
            "LOCK TABLES … WRITE; ALTER TABLE … ADD COLUMN IF NOT EXISTS …;"
            " UPDATE … SET … = (what the lake has) for each row; UNLOCK TABLES"
        )
    told = [
        f"LOCK TABLES {each.table} WRITE; "
        f"ALTER TABLE {each.table} ADD COLUMN IF NOT EXISTS {each.column} {definition(each.table, each.column)}; "
        f"UPDATE {each.table} SET {each.column} = (SELECT {each.column} FROM lake) for each row; UNLOCK TABLES"
        for each in found
    ]
    return "; ".join([*told, *unjudged]) or "nothing to restore"


def run(stack: Stack, arguments: Arguments) -> str:
    """Read the lake, then add and fill; safe where no column is missing. A second run goes on where one was cut off.

    A column of which nobody can tell whether it is renamed is left and named.
    Raises: TerminalError where a row's value is not in the lake, or the shop's schema does not have the column;
    CouldNotLook where only columns of that kind are missing; DeadlineExpired where `main` does not show the time of
    this call; what `ask` raises.
    """
    done = []
    found, unjudged = _missing(stack)
    if unjudged and not found:
        raise CouldNotLook("; ".join(unjudged), where=OLTP.name, next_action="look at both columns")
    if found:
        _await_published(stack, time.time() * 1e6)
    for each in found:
        wanted = definition(each.table, each.column)
        sql = f'SELECT id, "{each.column}" FROM {each.table} WHERE "{each.column}" IS NOT NULL'
        commit, answer = ask(stack, sql, seconds=READ_SECONDS)
        values = {int(key): str(value) for key, value in answer.rows}
        mariadb.add_filled_column(stack, each.table, each.column, wanted, values, keys_with(each.table, each.column))
        done.append(f"{each} is there again, with {len(values)} values of {commit.hash[:12]}")
    return "; ".join([*done, *unjudged]) or "nothing to restore, no column is missing"


def _missing(stack: Stack) -> tuple[list[Difference], list[str]]:
    """The columns that are missing under every name, then those that are not filled to the end; and the words about
    the columns of which nobody can tell whether they only have another name, with the reason.
    """
    found = look(stack, OLTP)
    told = {str(each) for each in found.unreadable}
    nullable = mariadb.nullable_columns(stack, find_connector(OLTP.connector), LOOK_SECONDS)
    unfilled = [
        Difference(table, column, None, kind)
        for table, columns in declared_columns(OLTP, stack).items()
        for column, kind in columns.items()
        if (name := f"{table}.{column}") in nullable and name not in told and _refuses_null(table, column)
    ]
    replaced, unjudged = [], []
    for gone, new in found.renamed:
        try:
            if likeness(stack, OLTP, gone, new).unlike:
                replaced.append(gone)
        except LakeproofError as error:
            unjudged.append(f"{gone} is left: {error.message}")
    missing = [each for each in found.without_renamed.unreadable if each.kind is None]
    return [*missing, *replaced, *unfilled], unjudged


def _refuses_null(table: str, column: str) -> bool:
    """True where the shop's schema says NOT NULL. It says nothing about a captured table that is not the shop's."""
    try:
        return "NOT NULL" in definition(table, column)
    except TerminalError:
        return False


def _await_published(stack: Stack, moment_us: float) -> None:
    def shown() -> bool | None:
        beat = history.newest(stack).beat_of(OLTP.name)
        return True if beat is not None and beat > moment_us else None

    Deadline(READ_SECONDS).wait_for("main to show what was written before", shown, every=0.5, unseen_is_not_yet=True)


MITIGATION = Mitigation("restore_column", "bring a dropped column back, with the lake's values", typed, run)
