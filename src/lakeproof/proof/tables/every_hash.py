"""Judges every published hash, not the newest alone: does one of them show a part of a transaction?

A torn state may be on `main` for a single checkpoint, and whoever reads at that hash reads it for as long as the hash
is readable. Each hash is judged by itself and in full: the claims of `order_claims.py` over the three tables, at the
very snapshots that the hash holds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import StatementFailed
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.proof.tables.order_claims import BrokenOrder, across_sql, broken_of
from lakeproof.stack.stack import Stack

SCHEMA = "oltp"
# Different states in one statement. A published copy of a table's metadata knows its newest 40 snapshots, so those of
# about 20 hashes.
AT_ONCE = 5
# The tables that the claims are about. Hashes at which all of these stand at the same snapshots are one state.
JUDGED = ("orders", "order_items", "order_events")
STATEMENT_SECONDS = 60.0
MOST_WAITING = 1000


@dataclass(frozen=True)
class Torn:
    """A published hash, and what it shows of transactions that are not whole in it."""

    commit: PublishedCommit
    broken: tuple[BrokenOrder, ...]


@dataclass
class EveryHash:
    """Follows `main` from the hash `after` on, which is not judged itself.

    judged: how many hashes were. moved_others: how many moved none of these tables, but another database's: they hold
    the orders of a hash before, about which no claim here says anything new, and count apart. not_looked: how many
    were passed over, since too many waited or their files may be gone; nothing is known of these. waiting: how many
    were left for the next look. torn: all found, oldest first.
    """

    stack: Stack
    after: str
    judged: int = 0
    not_looked: int = 0
    waiting: int = 0
    torn: list[Torn] = field(default_factory=list)
    moved_others: int = 0

    def look(self, deadline: Deadline, most: int = MOST_WAITING) -> list[Torn]:
        """Judge what was published meanwhile, oldest first, until the deadline is over; gives the torn ones.

        most: of more hashes than these the oldest are passed over.
        Raises: CouldNotLook, StatementFailed: what is not judged yet waits for the next look. NoSuchHash where `main`
        no longer leads back to `after`.
        """
        commits = history.since(self.stack, self.after)
        self.not_looked += max(0, len(commits) - most)
        found: list[Torn] = []
        self.waiting = len(commits[-most:])
        for some in _by_states(commits[-most:]):
            if deadline.expired:
                break
            readable = [commit for commit in some if commit.is_readable()]
            torn = judge(self.stack, readable)
            moved = sum(commit.moved == SCHEMA for commit in readable)
            self.judged += moved
            self.moved_others += len(readable) - moved
            self.not_looked += len(some) - len(readable)
            self.waiting -= len(some)
            self.after = some[-1].hash
            self.torn += torn
            found += torn
        return found


def judge(stack: Stack, commits: Sequence[PublishedCommit]) -> list[Torn]:
    """Which of these hashes show a part of a transaction. Raises: CouldNotLook, StatementFailed."""
    if not commits:
        return []
    try:
        return _judge_together(stack, commits)
    except StatementFailed:
        # The newest one's metadata no longer knows the snapshots of the oldest: each by its own then.
        if len(commits) == 1:
            raise
        return [torn for commit in commits for torn in _judge_together(stack, [commit])]


def _judge_together(stack: Stack, commits: Sequence[PublishedCommit]) -> list[Torn]:
    # Several hashes may hold the same state: one that moved another database's tables, for example.
    states = list({_state_of(commit): commit for commit in commits}.values())
    parts = [f"SELECT {place} AS place, t.* FROM ({_sql(commit)}) AS t" for place, commit in enumerate(states)]
    deadline = Deadline(STATEMENT_SECONDS)
    with pinned_trino(stack, commits[-1], deadline) as trino:
        rows = trino.run(" UNION ALL ".join(parts), deadline).rows
    broken = {
        _state_of(commit): tuple(broken_of(row[1:] for row in rows if int(row[0]) == place))
        for place, commit in enumerate(states)
    }
    return [Torn(commit, found) for commit in commits if (found := broken[_state_of(commit)])]


def _by_states(commits: Sequence[PublishedCommit]) -> Iterator[list[PublishedCommit]]:
    """The commits in order, in lists of at most AT_ONCE states; while nobody buys, many hashes are one state."""
    some: list[PublishedCommit] = []
    for commit in commits:
        if len({_state_of(each) for each in (*some, commit)}) > AT_ONCE:
            yield some
            some = []
        some.append(commit)
    if some:
        yield some


def _state_of(commit: PublishedCommit) -> tuple[int | None, ...]:
    return tuple(commit.snapshots.get(table) for table in JUDGED)


def _sql(commit: PublishedCommit) -> str:
    return across_sql(SCHEMA, commit.snapshots)
