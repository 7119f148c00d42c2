"""Judges every published hash, not the newest alone: does one of them show a part of a transaction?

A torn state may be on `main` for a single checkpoint, and whoever reads at that hash reads it for as long as the hash
is readable. Each hash is judged by itself and in full: the claims of `order_claims.py` over the three tables, at the
very snapshots that the hash holds.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import Row, StatementFailed
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.proof.tables.order_claims import MOST, BrokenOrder, across_sql, broken_of
from lakeproof.stack.stack import Stack

SCHEMA = "oltp"
# Different states in one statement: what a statement costs by itself (a catalog, a plan, manifests) is shared by so
# many. A published copy of a table's metadata knows its newest 40 snapshots, of about 20 hashes.
AT_ONCE = 15
# The tables that the claims are about. Hashes at which all of these stand at the same snapshots are one state.
JUDGED = ("orders", "order_items", "order_events")
STATEMENT_SECONDS = 60.0
MOST_WAITING = 1000

# The snapshots of the judged tables.
type State = tuple[int | None, ...]


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
    were left for the next look. torn: all found, oldest first. at_once: states in the next statement; fewer after one
    that got no answer, which may have been too much.
    """

    stack: Stack
    after: str
    judged: int = 0
    not_looked: int = 0
    waiting: int = 0
    torn: list[Torn] = field(default_factory=list)
    moved_others: int = 0
    at_once: int = AT_ONCE

    def look(self, deadline: Deadline, most: int = MOST_WAITING) -> list[Torn]:
        """Judge what was published meanwhile, oldest first, until the deadline is over; gives the torn ones.

        most: of more hashes than these the oldest are passed over.
        Raises: CouldNotLook, StatementFailed: what is not judged yet waits for the next look. NoSuchHash where `main`
        no longer leads back to `after`.
        """
        commits = history.since(self.stack, self.after)
        self.not_looked += max(0, len(commits) - most)
        found: list[Torn] = []
        left = commits[-most:]
        self.waiting = len(left)
        while left and not deadline.expired:
            many = _of_states(left, self.at_once)
            some, left = left[:many], left[many:]
            readable = [commit for commit in some if commit.is_readable()]
            try:
                torn = judge(self.stack, readable)
            except CouldNotLook:
                self.at_once = max(1, min(self.at_once, len(some)) // 2)
                raise
            self.at_once = min(AT_ONCE, 2 * self.at_once)
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
    # Several hashes may hold the same state: one that moved another database's tables, for example.
    newest = {_state_of(commit): commit for commit in commits}
    broken = _broken_in(stack, list(newest.values()))
    return [Torn(commit, found) for commit in commits if (found := broken[_state_of(commit)])]


def _broken_in(stack: Stack, commits: Sequence[PublishedCommit]) -> dict[State, tuple[BrokenOrder, ...]]:
    """What is broken in each of these different states, asked in one statement, or in two of one half each."""
    deadline = Deadline(STATEMENT_SECONDS)
    try:
        with pinned_trino(stack, commits[-1], deadline) as trino:
            rows = trino.run(across_sql(SCHEMA, [commit.snapshots for commit in commits]), deadline).rows
    except StatementFailed:
        # The newest one's metadata no longer knows the snapshots of the oldest, or Trino's memory is too small.
        if len(commits) == 1:
            raise
        rows = None
    if rows is None or (len(rows) >= MOST and len(commits) > 1):
        # Where an answer was cut off, what is broken in one state may have hidden what is in another.
        middle = len(commits) // 2
        return _broken_in(stack, commits[:middle]) | _broken_in(stack, commits[middle:])
    by_place: dict[int, list[Row]] = defaultdict(list)
    for place, *row in rows:
        by_place[int(place)].append(row)
    return {_state_of(commit): tuple(broken_of(by_place[place])) for place, commit in enumerate(commits)}


def _of_states(commits: Sequence[PublishedCommit], most: int) -> int:
    """How many of the first commits hold at most so many states; while nobody buys, many hashes are one state."""
    states: set[State] = set()
    for number, commit in enumerate(commits):
        states.add(_state_of(commit))
        if len(states) > most:
            return number
    return len(commits)


def _state_of(commit: PublishedCommit) -> State:
    return tuple(commit.snapshots.get(table) for table in JUDGED)
