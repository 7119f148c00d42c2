"""What was written into a column that nobody announced is not lost: a repair kept it in a file, or the lake has it.

The values are the recorded ones (customers/marked_values.py), each in one row. Where the column is declared
(`lake evolve`), each value has to be in its row of the lake; else in a file of values that a repair kept since the
baseline. A value whose row the shop has deleted meanwhile need not be anywhere.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.tries import look_until_passed
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.customers.marked_values import marked
from lakeproof.lake.job.added_columns import find_added
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.kept_values import kept_since
from lakeproof.stack.stack import Stack

CLAIM = "what was written into an unannounced column is kept in a file, or in the lake"
ASK_SECONDS = 30.0


class ValuesKept(Arguments):
    """`table`, `column`: where the values were written, in the order database. `seconds`: how long `verify` waits for
    values on their way to the lake.
    """

    table: str = Field("oltp.orders", pattern=r"^oltp\.[a-z][a-z0-9_]{0,47}$")
    column: str = Field("unannounced", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    seconds: float = Field(60.0, gt=0, le=600)


def baseline(context: CheckContext, arguments: ValuesKept) -> Baseline:
    """No value is written yet. Only files that a repair keeps from now on count."""
    now = datetime.now(UTC)
    return Baseline(Verdict(CLAIM, Outcome.PASSED, "no value is written yet"), {"at": now.isoformat()})


def verify(context: CheckContext, arguments: ValuesKept, before: Baseline) -> Verdict:
    """Each recorded value is in the lake, or in a kept file."""
    if not context.fault_made:
        return Verdict(CLAIM, Outcome.PASSED, "no value was written")
    stack = context.stack
    wrote = marked(stack, arguments.table, arguments.column)
    if not wrote:
        return Verdict(CLAIM, Outcome.UNKNOWN, f"no value was written into {arguments.table}.{arguments.column}")
    added = find_added(stack, OLTP, arguments.table, arguments.column)
    if added is None or not added.is_declared:
        since = datetime.fromisoformat(str(before.values["at"]))
        kept = kept_since(stack, OLTP.name, since).get(f"{arguments.table}.{arguments.column}", set())
        return _judge(stack, arguments, wrote, {row: value for row, value in wrote.items() if value in kept}, "kept")
    return look_until_passed(
        context,
        arguments.seconds,
        "values",
        lambda: _judge(stack, arguments, wrote, _in_lake(stack, arguments, wrote), "in the lake"),
    )


def _judge(
    stack: Stack, arguments: ValuesKept, wrote: Mapping[int, str], found: Mapping[int, str], where: str
) -> Verdict:
    lost = {row for row, value in wrote.items() if found.get(row) != value}
    return judge(wrote, lost, lost and _deleted(stack, arguments, lost), where)


def judge(wrote: Mapping[int, str], lost: set[int], deleted: set[int], where: str) -> Verdict:
    """wrote: value by row id. lost: rows whose value was not found. deleted: those that the shop deleted."""
    owed = sorted(lost - deleted)
    numbers = {"written": float(len(wrote)), "deleted": float(len(deleted)), "lost_values": float(len(owed))}
    if owed:
        words = f"{len(owed)} of {len(wrote)} values that were written into the column are not {where}"
        return Verdict(CLAIM, Outcome.FAILED, words, numbers, tuple(wrote[row] for row in owed))
    if len(deleted) == len(wrote):
        return Verdict(CLAIM, Outcome.UNKNOWN, "each row with a value was deleted meanwhile", numbers)
    return Verdict(CLAIM, Outcome.PASSED, f"{len(wrote) - len(deleted)} values are {where}", numbers)


def _deleted(stack: Stack, arguments: ValuesKept, rows: Collection[int]) -> set[int]:
    with OLTP.module.at_one_instant(stack, OLTP.name, ASK_SECONDS) as ask_database:
        there = ask_database(f"SELECT id FROM {arguments.table} WHERE id IN ({', '.join(map(str, rows))})")
    return set(rows) - {int(row[0]) for row in there}


def _in_lake(stack: Stack, arguments: ValuesKept, wrote: Mapping[int, str]) -> dict[int, str]:
    table = next(file.table for file in load_sql_files(OLTP.name) if file.source == arguments.table)
    rows = ", ".join(map(str, wrote))
    sql = f'SELECT "id", "{arguments.column}" FROM {OLTP.name}."{table}" WHERE "id" IN ({rows})'
    _, answer = ask(stack, sql, seconds=ASK_SECONDS)
    return {int(row): str(value) for row, value in answer.rows if value is not None}


CHECK = Check("values_kept", CLAIM, baseline, verify, ValuesKept)
