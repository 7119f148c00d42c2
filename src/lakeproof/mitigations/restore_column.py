"""Bring a dropped column of the order database back, with the values that the lake has.

A dropped column makes no change of a row, so the lake keeps what each row had before. It is read at a published state
of after this call: no row that was written before the drop is then missing. A row that was changed since has NULL in
the lake, and a person has to say what is right.
"""

import time

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, NotReady
from lakeproof.lake.capture.columns import Difference, look
from lakeproof.lake.publish import history
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.restore_column_type import definition
from lakeproof.stack.stack import Stack

READ_SECONDS = 60.0


def typed(stack: Stack, arguments: Arguments) -> str:
    """The statements, for each column. Without an answer of the database, how they look."""
    try:
        found = _missing(stack)
    except NotReady:
        return "ALTER TABLE … ADD COLUMN …; UPDATE … SET … = (what the lake has) for each row"
    told = (
        f"ALTER TABLE {each.table} ADD COLUMN {each.column} {definition(each.table, each.column)}; "
        f"UPDATE {each.table} SET {each.column} = (SELECT {each.column} FROM lake) for each row"
        for each in found
    )
    return "; ".join(told) or "nothing to restore"


def run(stack: Stack, arguments: Arguments) -> str:
    """Read the lake, then add and fill; fine where no column is missing.

    Raises: TerminalError where a row's value is not in the lake, or the shop's schema does not have the column;
    DeadlineExpired where `main` does not show the time of this call; what `ask` raises.
    """
    done = []
    found = _missing(stack)
    if found:
        _await_published(stack, time.time() * 1e6)
    for each in found:
        wanted = definition(each.table, each.column)
        sql = f'SELECT id, "{each.column}" FROM {each.table} WHERE "{each.column}" IS NOT NULL'
        commit, answer = ask(stack, sql, seconds=READ_SECONDS)
        values = {int(key): str(value) for key, value in answer.rows}
        mariadb.add_filled_column(stack, each.table, each.column, wanted, values)
        done.append(f"{each} is there again, with {len(values)} values of {commit.hash[:12]}")
    return "; ".join(done) or "nothing to restore, no column is missing"


def _missing(stack: Stack) -> list[Difference]:
    return [each for each in look(stack, OLTP).without_renamed.unreadable if each.kind is None]


def _await_published(stack: Stack, moment_us: float) -> None:
    def shown() -> bool | None:
        try:
            beat = history.newest(stack).beat_of(OLTP.name)
        except CouldNotLook:
            return None
        return True if beat is not None and beat > moment_us else None

    Deadline(READ_SECONDS).wait_for("main to show what was written before", shown, every=0.5)


MITIGATION = Mitigation("restore_column", "bring a dropped column back, with the lake's values", typed, run)
