"""The check of the hashes that readers were promised."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.lake.nessie import WHOLE_HISTORY, NoSuchReference
from lakeproof.lake.publish import history
from lakeproof.lake.publish.beat import HEARTBEAT_TABLE
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.trino import ENGINE, pinned_trino
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.reading import Reading
from lakeproof.proof.tables.canonical import TABLES, Column, Kind, Table
from lakeproof.proof.tables.dialects import TRINO
from lakeproof.proof.tables.readers import Reader
from lakeproof.stack.stack import Stack

NEWEST = "newest"

# Only a hash that stays promised for this long counts, since it is read again after the repair.
LEFT = timedelta(minutes=6)

# At most REMEMBERED promised hashes must still be in main's history afterwards. READ of them are read.
REMEMBERED = 200

READ = 3

READ_SECONDS = 60.0

_HEARTBEAT = Table(
    HEARTBEAT_TABLE,
    (Column("id", Kind.INTEGER), Column("beat_us", Kind.INTEGER), Column("gtid", Kind.TEXT)),
    "id",
    ("id",),
)

# A bucket width beyond every id, so that each table has one digest.
WHOLE = 2**62

# Stands for the checksum of a table without rows, which is NULL in Trino.
NOTHING = "-"

_COLUMNS = "SELECT table_schema, table_name, column_name FROM information_schema.columns"


class PromisedHashesKept(Check):
    """Main moves, its history is whole, and what it promised can still be read."""

    judges_rows = True

    def baseline(self, context: CheckContext) -> Baseline:
        """Which hashes are promised, and which rows some of them show. The newest hash always counts."""
        found = history.log(context.stack, REMEMBERED)
        if not found:
            return Baseline(Verdict(self.summary, Outcome.UNKNOWN, "nothing is published yet"))
        promised = [each for each in found if each.is_readable(datetime.now(UTC) + LEFT)] or found[:1]
        shown = {each.hash: shown_at(context.stack, each, readable_for(each, LEFT)) for each in spread(promised)}
        summary = f"{len(promised)} hashes are promised; {len(shown)} of them were read"
        return Baseline(
            Verdict(self.summary, Outcome.PASSED, summary, {"promised": float(len(promised))}),
            {NEWEST: promised[0].hash, **{each.hash: shown.get(each.hash) for each in promised}},
        )

    def verify(self, context: CheckContext, before: Baseline) -> Verdict:
        """The same hashes are there in the same order, below newer ones; those still promised show the same rows.

        Where no fault was made, and so much time went by that no hash read before is still promised, hashes promised
        now are read instead. After a fault those would prove nothing: all of them may have been published after the
        repair.
        """
        remembered = [name for name in before.values if name != NEWEST]
        try:
            now = history.log(context.stack, WHOLE_HISTORY, down_to=remembered[-1])
            problems = unlike(remembered, [each.hash for each in now])
            promised = [each for each in now if each.is_readable()]
            asked = [each for each in promised if before.values.get(each.hash) is not None]
            meanwhile = spread(promised) if promised and not asked and not context.fault_made else []
            for commit in (*asked, *meanwhile):
                context.progress(f"reading the lake at {commit.hash[:16]}")
                problems += _problems_at(context.stack, commit, before.values.get(commit.hash))
        except NoSuchReference as error:
            return Verdict(self.summary, Outcome.FAILED, error.message)
        numbers = {
            "promised": float(len(remembered)),
            "read": float(len(asked) + len(meanwhile)),
            "problems": float(len(problems)),
        }
        readings = tuple(
            Reading("main-head", each.hash, "", datetime.now(UTC), "nessie", "lakeproof lake log") for each in now[:1]
        )
        if problems:
            return Verdict(self.summary, Outcome.FAILED, "; ".join(problems), numbers, readings=readings)
        if not asked and not meanwhile:
            return Verdict(
                self.summary, Outcome.UNKNOWN, "no hash that was read before is promised any more", numbers
            )
        summary = f"main moved on; all {len(remembered)} promised hashes are in its history, "
        if asked:
            summary += f"{len(asked)} show the same rows"
        else:
            summary += f"and no longer promised; {len(meanwhile)} of those promised now can be read"
        return Verdict(self.summary, Outcome.PASSED, summary, numbers, readings=readings)


def spread(commits: Sequence[PublishedCommit]) -> list[PublishedCommit]:
    """At most READ of the commits: the newest, the oldest, and some between them in even steps."""
    last = len(commits) - 1
    return [commits[place] for place in sorted({round(last * step / (READ - 1)) for step in range(READ)})]


def readable_for(commit: PublishedCommit, left: timedelta) -> list[str]:
    """The databases whose tables stay readable at that hash for the time `left`."""
    until = datetime.now(UTC) + left
    return [name for name in commit.states if name == OLTP.name or commit.is_readable(until, database=name)]


def shown_at(stack: Stack, commit: PublishedCommit, databases: Collection[str]) -> str:
    """What the tables of these databases show at that hash: for each table `NAME ROWS DIGEST`, joined by `; `. The
    digest covers all columns of all rows, so the data files must be there. For tables that the ledger knows it is the
    digest of proof/tables/canonical.py, for all others Trino's checksum.

    Raises: StatementFailed where a table cannot be read; CouldNotLook where Trino gives no answer.
    """
    known = [table for table in (*TABLES, _HEARTBEAT) if table.name in commit.tables_of(OLTP.name)]
    others = {
        (database, table)
        for database in databases
        for table in commit.tables_of(database)
        if database != OLTP.name or table not in {each.name for each in known}
    }
    deadline = Deadline(READ_SECONDS)
    with pinned_trino(stack, commit, deadline) as trino:
        found = Reader(ENGINE, TRINO, lambda sql: trino.run(sql, deadline).rows).digests(WHOLE, known)
        columns = trino.run(_COLUMNS, deadline).rows if others else ()
        sums = trino.run(_checksums(others, columns), deadline).rows if others else ()
    shown = {str(name): f"{count} {digest or NOTHING}" for name, count, digest in sums}
    for name, parts in found.items():
        rows, digest = sum(part.rows for part in parts.values()), sum(part.full for part in parts.values())
        shown[name] = f"{rows} {digest:x}"
    return "; ".join(f"{name} {shown[name]}" for name in sorted(shown))


def _checksums(tables: Collection[tuple[str, str]], columns: Iterable[Sequence[Any]]) -> str:
    """One statement for the row count and checksum of each (database, table). columns: rows of _COLUMNS. A table
    without listed columns stays in the statement, so that Trino's error names it.
    """
    of: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for database, table, column in columns:
        of[str(database), str(table)].append(f'"{column}"')
    return " UNION ALL ".join(
        f"SELECT '{_told(database, table)}' AS table_name, count(*) AS row_count,"
        f" to_hex(checksum(ROW({', '.join(of[database, table]) or '1'}))) AS digest"
        f' FROM "{database}"."{table}"'
        for database, table in sorted(tables)
    )


def _told(database: str, table: str) -> str:
    return table if database == OLTP.name else f"{database}.{table}"


def _problems_at(stack: Stack, commit: PublishedCommit, was: object) -> list[str]:
    """was: what `shown_at` gave at the baseline; None where the hash was not read then. A database whose promised
    time at that hash is nearly over is left out.
    """
    databases = readable_for(commit, timedelta(seconds=READ_SECONDS))
    shown = [] if was is None else [each for each in str(was).split("; ") if _database_of(each) in databases]
    if was is not None:
        databases = list({OLTP.name, *map(_database_of, shown)})
    try:
        now = shown_at(stack, commit, databases)
    except StatementFailed as error:
        return [f"{commit.hash[:16]} cannot be read: {error.message}"]
    if was is None:
        return []
    return [f"{commit.hash[:16]}: {each}" for each in other_rows("; ".join(shown), now)]


def _database_of(told: str) -> str:
    """The database of one entry of `shown_at`. Tables of the order database are listed there without its name."""
    database, dot, _ = told.partition(" ")[0].partition(".")
    return database if dot else OLTP.name


def other_rows(was: str, now: str) -> list[str]:
    """In words, which tables do not show the same rows as before. was, now: texts given by `shown_at`."""
    before, after = (dict(each.split(" ", 1) for each in text.split("; ") if each) for text in (was, now))
    found = []
    for table in sorted(before.keys() | after.keys()):
        (rows, digest), (rows_now, digest_now) = (told.get(table, "0 0").split() for told in (before, after))
        if rows != rows_now:
            found.append(f"{table} showed {rows} rows, shows {rows_now}")
        elif digest != digest_now:
            found.append(f"{table} shows {rows} rows as before, and they are others")
    return found


def unlike(remembered: Sequence[str], now: Sequence[str]) -> list[str]:
    """What is wrong with main's history, in words. Both lists hold hashes, newest first."""
    head = remembered[0]
    if head not in now:
        missing = sum(1 for each in remembered if each not in now)
        return [f"{missing} of {len(remembered)} promised hashes are gone from main, its head of before among them"]
    if now[0] == head:
        return [f"main has not moved: its head is still {head[:16]}"]
    place = now.index(head)
    if list(now[place : place + len(remembered)]) != list(remembered):
        return [f"the history of main below {head[:16]} is not what it was"]
    return []
