"""Checks of the scenario schema-drift."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

from pydantic import Field

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.tries import look_until_passed
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.lake.job.added_columns import find_added
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.query.asking import ask
from lakeproof.lake.sources.source import OLTP
from lakeproof.mitigations.kept_values import kept_since
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.marked_values import marked

ASK_SECONDS = 30.0


class ValuesKept(Check):
    """What was written into an unannounced column is kept in a file, or in the lake.

    What was written into a column that nobody announced is not lost: a repair kept it in a file, or the lake has it.

    The values are the recorded ones (customers/marked_values.py), each in one row. Where the column is declared
    (`lake evolve`), each value has to be in its row of the lake; else in a file of values that a repair kept since
    the baseline. A value whose row the shop has deleted meanwhile need not be anywhere.

    `table`, `column`: where the values were written, in the order database. `seconds`: how long `verify` waits for
    values on their way to the lake.
    """

    table: str = Field("oltp.orders", pattern=r"^oltp\.[a-z][a-z0-9_]{0,47}$")
    column: str = Field("unannounced", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    seconds: float = Field(60.0, gt=0, le=600)

    def baseline(self, context: CheckContext) -> Baseline:
        """No value is written yet. Only files that a repair keeps from now on count."""
        now = datetime.now(UTC)
        return Baseline(Verdict(self.summary, Outcome.PASSED, "no value is written yet"), {"at": now.isoformat()})

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """Each recorded value is in the lake, or in a kept file."""
        if not context.fault_made:
            return Verdict(self.summary, Outcome.PASSED, "no value was written")
        stack = context.stack
        wrote = marked(stack, self.table, self.column)
        if not wrote:
            return Verdict(self.summary, Outcome.UNKNOWN, f"no value was written into {self.table}.{self.column}")
        added = find_added(stack, OLTP, self.table, self.column)
        if added is None or not added.is_declared:
            since = datetime.fromisoformat(str(before.values["at"]))
            kept = kept_since(stack, OLTP.name, since).get(f"{self.table}.{self.column}", set())
            return self._judge(stack, wrote, {row: value for row, value in wrote.items() if value in kept}, "kept")
        return look_until_passed(
            context,
            self.seconds,
            "values",
            lambda: self._judge(stack, wrote, self._in_lake(stack, wrote), "in the lake"),
        )

    def _judge(self, stack: Stack, wrote: Mapping[int, str], found: Mapping[int, str], where: str) -> Verdict:
        lost = {row for row, value in wrote.items() if found.get(row) != value}
        return judge(wrote, lost, lost and self._deleted(stack, lost), where)

    def _deleted(self, stack: Stack, rows: Collection[int]) -> set[int]:
        with OLTP.module.at_one_instant(stack, OLTP.name, ASK_SECONDS) as ask_database:
            there = ask_database(f"SELECT id FROM {self.table} WHERE id IN ({', '.join(map(str, rows))})")
        return set(rows) - {int(row[0]) for row in there}

    def _in_lake(self, stack: Stack, wrote: Mapping[int, str]) -> dict[int, str]:
        table = next(file.table for file in load_sql_files(OLTP.name) if file.source == self.table)
        rows = ", ".join(map(str, wrote))
        sql = f'SELECT "id", "{self.column}" FROM {OLTP.name}."{table}" WHERE "id" IN ({rows})'
        _, answer = ask(stack, sql, seconds=ASK_SECONDS)
        return {int(row): str(value) for row, value in answer.rows if value is not None}


def judge(wrote: Mapping[int, str], lost: set[int], deleted: set[int], where: str) -> Verdict:
    """wrote: value by row id. lost: rows whose value was not found. deleted: those that the shop deleted."""
    owed = sorted(lost - deleted)
    numbers = {"written": float(len(wrote)), "deleted": float(len(deleted)), "lost_values": float(len(owed))}
    if owed:
        words = f"{len(owed)} of {len(wrote)} values that were written into the column are not {where}"
        return Verdict(ValuesKept.summary, Outcome.FAILED, words, numbers, tuple(wrote[row] for row in owed))
    if len(deleted) == len(wrote):
        return Verdict(ValuesKept.summary, Outcome.UNKNOWN, "each row with a value was deleted meanwhile", numbers)
    return Verdict(ValuesKept.summary, Outcome.PASSED, f"{len(wrote) - len(deleted)} values are {where}", numbers)
