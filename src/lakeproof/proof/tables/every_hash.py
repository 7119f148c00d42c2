"""Judges every published hash, not the newest alone: does one of them show a part of a transaction?

A torn state may be on `main` for a single checkpoint, and whoever reads at that hash reads it for as long as the hash
is readable. Each hash is judged by itself and in full: the claims of `order_claims.py` over the three tables, at the
very snapshots that the hash holds.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import batched, pairwise
from types import MappingProxyType

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.metadata import SNAPSHOTS_KEPT
from lakeproof.lake.query.answer import Row, StatementFailed
from lakeproof.lake.query.trino import pinned_trino
from lakeproof.proof.tables.order_claims import MOST, BrokenOrder, across_sql, broken_of
from lakeproof.stack.stack import Stack

SCHEMA = "oltp"
# Different states in one catalog: making it and reading the manifests is shared by so many. It shows the newest of
# them, whose copy of a table's metadata knows that table's newest 40 snapshots.
AT_ONCE = 15
# Of these so many in one statement. `SELECT 1` waited for up to 6.8 s beside one of fifteen, for up to 2.8 s beside
# those of three (docs/performance.md, "The minute's audit").
IN_ONE_STATEMENT = 3
# The tables that the claims are about. Hashes at which all of these stand at the same snapshots are one state.
JUDGED = ("orders", "order_items", "order_events")
CATALOG_SECONDS = 60.0  # for all statements in one catalog
MOST_WAITING = 1000

# The snapshots of the judged tables.
type State = tuple[int | None, ...]
# What is broken in it; empty where it is whole.
type Broken = tuple[BrokenOrder, ...]
NOTHING: Mapping[State, Broken] = MappingProxyType({})


@dataclass(frozen=True)
class Torn:
    """A published hash, and what it shows of transactions that are not whole in it."""

    commit: PublishedCommit
    broken: Broken


@dataclass
class EveryHash:
    """Follows `main` from the hash `after` on, which is not judged itself.

    judged: how many hashes were. moved_others: how many moved none of these tables, but another database's: they hold
    the orders of a hash before, about which no claim here says anything new, and count apart. not_looked: how many
    were passed over, since too many waited or their files may be gone; nothing is known of these. waiting: how many
    were left for the next look. torn: all found, oldest first. at_once: states in the next catalog; fewer after one
    in which a statement got no answer, which may have been too much. known: states that were judged a moment ago;
    they are not read again.
    """

    stack: Stack
    after: str
    judged: int = 0
    not_looked: int = 0
    waiting: int = 0
    torn: list[Torn] = field(default_factory=list)
    moved_others: int = 0
    at_once: int = AT_ONCE
    known: Mapping[State, Broken] = NOTHING

    def look(self, deadline: Deadline, most: int = MOST_WAITING) -> list[Torn]:
        """Judge what was published meanwhile, oldest first, until the deadline is over; gives the torn ones.

        most: of more hashes than these the oldest are passed over.
        Raises: CouldNotLook, StatementFailed: what was answered until then counts, the rest waits for the next look.
        NoSuchHash where `main` no longer leads back to `after`.
        """
        commits = history.since(self.stack, self.after)
        self.not_looked += max(0, len(commits) - most)
        found: list[Torn] = []
        left = commits[-most:]
        self.waiting = len(left)
        while left and not deadline.expired:
            many = _of_states(left, self.at_once)
            some, left = left[:many], left[many:]
            readable = {commit.hash for commit in some if commit.is_readable()}
            broken = dict(self.known)
            try:
                _read(self.stack, [commit for commit in some if commit.hash in readable], broken)
            except (CouldNotLook, StatementFailed):
                self.at_once = max(1, min(self.at_once, len(some)) // 2)
                self._count(some, readable, broken)
                raise
            self.at_once = min(AT_ONCE, 2 * self.at_once)
            found += self._count(some, readable, broken)
        return found

    def _count(
        self, some: Sequence[PublishedCommit], readable: Set[str], broken: Mapping[State, Broken]
    ) -> list[Torn]:
        """Be done with these hashes, up to a readable one whose state is not known. Gives the torn ones."""
        unknown = (at for at, one in enumerate(some) if one.hash in readable and state_of(one) not in broken)
        some = some[: next(unknown, len(some))]
        judged = [commit for commit in some if commit.hash in readable]
        moved = sum(commit.moved == SCHEMA for commit in judged)
        self.judged += moved
        self.moved_others += len(judged) - moved
        self.not_looked += len(some) - len(judged)
        self.waiting -= len(some)
        self.after = some[-1].hash if some else self.after
        torn = _torn(judged, broken)
        self.torn += torn
        return torn


def judge(stack: Stack, commits: Sequence[PublishedCommit]) -> list[Torn]:
    """Which of these hashes show a part of a transaction. Raises: CouldNotLook, StatementFailed."""
    broken: dict[State, Broken] = {}
    _read(stack, commits, broken)
    return _torn(commits, broken)


def _read(stack: Stack, commits: Sequence[PublishedCommit], broken: dict[State, Broken]) -> None:
    """Add what is broken in the states that `broken` does not have: as far as there were answers, where one fails.

    Raises: CouldNotLook, StatementFailed.
    """
    # Several hashes may hold the same state: one that moved another database's tables, for example.
    newest = {state_of(commit): commit for commit in commits}
    asked = [commit for state, commit in newest.items() if state not in broken]
    if asked:
        _ask(stack, asked, broken)


def _torn(commits: Iterable[PublishedCommit], broken: Mapping[State, Broken]) -> list[Torn]:
    return [Torn(commit, found) for commit in commits if (found := broken[state_of(commit)])]


def _ask(stack: Stack, commits: Sequence[PublishedCommit], broken: dict[State, Broken]) -> None:
    """Add what is broken in each of these different states, asked in one catalog, or in two of one half each."""
    deadline = Deadline(CATALOG_SECONDS)
    try:
        with pinned_trino(stack, commits[-1], deadline) as trino:
            for some in batched(commits, IN_ONE_STATEMENT):
                sql = across_sql(SCHEMA, [commit.tables_of(SCHEMA) for commit in some])
                rows = trino.run(sql, deadline).rows
                if len(rows) >= MOST and len(some) > 1:
                    # It was cut off: what is broken in one state may have hidden what is in another.
                    break
                broken |= _by_state(some, rows)
            else:
                return
    except StatementFailed:
        # Too much for Trino's memory; or the newest metadata, which Paimon built anew, knows none of the oldest
        # snapshots.
        if len(commits) == 1:
            raise
    left = [commit for commit in commits if state_of(commit) not in broken]
    middle = len(left) // 2
    for half in filter(None, (left[:middle], left[middle:])):
        _ask(stack, half, broken)


def _by_state(commits: Sequence[PublishedCommit], rows: Sequence[Row]) -> dict[State, Broken]:
    """What one statement gave, for each of its states."""
    by_place: dict[int, list[Row]] = defaultdict(list)
    for place, *row in rows:
        by_place[int(place)].append(row)
    return {state_of(commit): tuple(broken_of(by_place[place])) for place, commit in enumerate(commits)}


def _of_states(commits: Sequence[PublishedCommit], most: int) -> int:
    """How many of the first commits hold at most so many states, which the last one's metadata still knows.

    While nobody buys, many hashes are one state. Where a state was brought back by hand, a table's snapshot is older
    than at the hash before, and its metadata does not know the newer ones.
    """
    states: set[State] = {state_of(commits[0])}
    for number, (before, commit) in enumerate(pairwise(commits), start=1):
        states.add(state_of(commit))
        span = max(_steps(commits[0], commit))
        if len(states) > most or span >= SNAPSHOTS_KEPT or min(_steps(before, commit)) < 0:
            return number
    return len(commits)


def _steps(before: PublishedCommit, commit: PublishedCommit) -> list[int]:
    """How far each judged table's snapshot moved on."""
    then, now = before.tables_of(SCHEMA), commit.tables_of(SCHEMA)
    return [now.get(table, 0) - then.get(table, 0) for table in JUDGED]


def state_of(commit: PublishedCommit) -> State:
    """What the claims read of that hash."""
    return tuple(commit.tables_of(SCHEMA).get(table) for table in JUDGED)
