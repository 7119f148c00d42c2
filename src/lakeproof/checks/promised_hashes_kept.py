"""`main` moved on, its history is whole, and every hash that was promised before the fault can still be read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from lakeproof.arguments import Arguments
from lakeproof.checks.check import Baseline, Check, CheckContext
from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.deadline import Deadline
from lakeproof.lake.nessie import WHOLE_HISTORY, NoSuchReference
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.reading import Reading, Value
from lakeproof.stack.stack import Stack

CLAIM = "main moves, its history is whole, and what it promised can still be read"
NEWEST = "newest"
# A hash counts that stays promised for so long: it is looked at again after the repair.
LEFT = timedelta(minutes=6)
# So many promised hashes must still be in main's history; so many of them are read, from the newest to the oldest.
REMEMBERED = 200
READ = 3
READ_SECONDS = 30.0


def baseline(context: CheckContext, arguments: Arguments) -> Baseline:
    """Which hashes are promised, and how many rows some of them show. The newest one counts in any case."""
    found = history.log(context.stack, REMEMBERED)
    if not found:
        return Baseline(Verdict(CLAIM, Outcome.UNKNOWN, "nothing is published yet"))
    promised = [each for each in found if each.is_readable(datetime.now(UTC) + LEFT)] or found[:1]
    rows = {each.hash: rows_at(context.stack, each) for each in spread(promised)}
    summary = f"{len(promised)} hashes are promised; {len(rows)} of them were read"
    return Baseline(
        Verdict(CLAIM, Outcome.PASSED, summary, {"promised": float(len(promised))}),
        {NEWEST: promised[0].hash, **{each.hash: rows.get(each.hash) for each in promised}},
    )


def spread(commits: Sequence[PublishedCommit]) -> list[PublishedCommit]:
    """READ of them at most: the newest, the oldest, and those between in even steps."""
    last = len(commits) - 1
    return [commits[place] for place in sorted({round(last * step / (READ - 1)) for step in range(READ)})]


def rows_at(stack: Stack, commit: PublishedCommit) -> int:
    """How many rows the tables show at that hash, MariaDB's. Their keys are read, so the data files must be there.

    Raises: StatementFailed where they cannot be read; CouldNotLook where nobody answers.
    """
    counts = " UNION ALL ".join(f"SELECT count(id) AS found FROM {table}" for table in commit.tables_of(OLTP.name))
    deadline = Deadline(READ_SECONDS)
    with pinned_trino(stack, commit, deadline) as trino:
        answer = trino.run(f"SELECT sum(found) FROM ({counts})", deadline)
    return int(answer.rows[0][0])


def verify(context: CheckContext, arguments: Arguments, before: Baseline) -> Verdict:
    """The same hashes in the same order, with newer ones on top; those still promised show the same rows.

    Where nothing was broken, and no hash of before is promised any more, since so much time went by, those are read
    that are promised now. After a fault they would prove nothing: they may all be of after the repair.
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
        return Verdict(CLAIM, Outcome.FAILED, error.message)
    numbers = {
        "promised": float(len(remembered)),
        "read": float(len(asked) + len(meanwhile)),
        "problems": float(len(problems)),
    }
    readings = tuple(
        Reading("main-head", each.hash, "", datetime.now(UTC), "nessie", "lakeproof lake log") for each in now[:1]
    )
    if problems:
        return Verdict(CLAIM, Outcome.FAILED, "; ".join(problems), numbers, readings=readings)
    if not asked and not meanwhile:
        return Verdict(CLAIM, Outcome.UNKNOWN, "no hash that was read before is promised any more", numbers)
    summary = f"main moved on; all {len(remembered)} promised hashes are in its history, "
    if asked:
        summary += f"{len(asked)} show as many rows"
    else:
        summary += f"and no longer promised; {len(meanwhile)} of those promised now can be read"
    return Verdict(CLAIM, Outcome.PASSED, summary, numbers, readings=readings)


def _problems_at(stack: Stack, commit: PublishedCommit, was: Value | None) -> list[str]:
    """was: how many rows it showed before; None where it was not read then."""
    try:
        rows = rows_at(stack, commit)
    except StatementFailed as error:
        return [f"{commit.hash[:16]} cannot be read: {error.message}"]
    return [] if was is None or rows == was else [f"{commit.hash[:16]} showed {was} rows, shows {rows}"]


def unlike(remembered: Sequence[str], now: Sequence[str]) -> list[str]:
    """What is wrong with main's history, in words. Both lists: hashes, newest first."""
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


CHECK = Check("promised_hashes_kept", CLAIM, baseline, verify)
