"""Judges every published hash, not the newest alone: does one of them show a part of a transaction?

A torn state may be on `main` for a single checkpoint, yet it can be read at its hash for as long as that hash is
readable. Each hash is judged by itself and in full: the claims of `whole_claims.py` on every captured database, at
the very snapshots that the hash holds. With `Changes`, a state is read whole only where no earlier state is known;
for all others it is enough to read what changed (by_changes.py).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain, pairwise

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.publish.metadata import SNAPSHOTS_KEPT
from lakeproof.lake.query.answer import Row, StatementFailed
from lakeproof.lake.query.trino import PinnedTrino, pinned_trino
from lakeproof.lake.sources.source import NAMES
from lakeproof.proof.tables.by_changes import Changes, judge_by_changes
from lakeproof.proof.tables.judged_table import MOST
from lakeproof.proof.tables.states import NOTHING, Asked, InState, State, States, begins, states_of
from lakeproof.proof.tables.whole_claims import CLAIMS, WholeClaims
from lakeproof.stack.stack import Stack

# At most this many states are read through one Trino catalog: so the catalog is made once for them, and its manifests
# are read once. It is pinned at the newest of the states, whose metadata knows each table's newest 40 snapshots.
AT_ONCE = 15
# At most this many states are judged by one Trino statement. A user's `SELECT 1` waited up to 6.8 s beside a
# statement of fifteen states, and up to 2.8 s beside statements of three (docs/performance.md, "The minute's audit").
IN_ONE_STATEMENT = 3
CATALOG_SECONDS = 60.0  # for all statements in one catalog
# The snapshots of one catalog's states may span at most this many: fewer than the metadata keeps, because the first
# state is compared with the one before it.
SPAN = SNAPSHOTS_KEPT - 8
# At most this many states in one statement where only the changed rows are read, which are few.
CHANGED_IN_ONE_STATEMENT = 5
# After this many tries in a row in which no state could be judged by its changes, the remaining states are read
# whole, three to a statement.
IN_VAIN = 3
MOST_WAITING = 1000


@dataclass(frozen=True)
class Torn:
    """A published hash, and the broken claims that show a part of a transaction in it."""

    commit: PublishedCommit
    broken: InState


@dataclass
class EveryHash:
    """Follows `main` from the hash `after` on, which is not judged itself.

    judged: how many hashes were judged. waiting: how many are left for the next look.
    not_looked: how many were passed over (too many waited, or their files may be gone): nothing is known of them.
    first_read: how many moved tables that were being read for the first time (`begins`); these need no judgement.
    torn: all torn hashes found, oldest first.
    at_once: how many states the next catalog takes; fewer after a catalog in which a statement got no answer.
    known: the states that were judged, here or just before; they are not read again.
    databases: the databases whose tables are judged. Hashes that moved only other databases' tables are left out: an
    earlier hash has shown the same state.
    changes: None where every state is to be read whole.
    """

    stack: Stack
    after: str
    judged: int = 0
    not_looked: int = 0
    waiting: int = 0
    torn: list[Torn] = field(default_factory=list)
    at_once: int = AT_ONCE
    known: Mapping[State, InState] = NOTHING
    databases: Collection[str] = NAMES
    first_read: int = 0
    changes: Changes | None = None

    def look(self, deadline: Deadline, most: int = MOST_WAITING) -> list[Torn]:
        """Judge the hashes published since, oldest first, until the deadline is over; gives the torn ones.

        most: where more hashes wait, the oldest are passed over.
        Raises: CouldNotLook, StatementFailed: hashes judged until then count, the rest waits for the next look.
        NoSuchHash where `main` no longer leads back to `after`.
        """
        published = history.since(self.stack, self.after)
        commits = [commit for commit in published if commit.moved in self.databases]
        self.not_looked += max(0, len(commits) - most)
        found: list[Torn] = []
        left = commits[-most:]
        self.waiting = len(left)
        while left and not deadline.expired:
            many = _of_states(left, self.at_once, self.databases)
            some, left = left[:many], left[many:]
            readable = {
                commit.hash
                for commit in some
                if commit.is_readable(database=commit.moved) and not begins(commit, commit.moved)
            }
            broken = dict(self.known)
            wanted = [(one, self._readable(one)) for one in some if one.hash in readable]
            try:
                _read(self.stack, wanted, broken, self.changes)
            except (CouldNotLook, StatementFailed):
                self.at_once = max(1, min(self.at_once, len(some)) // 2)
                self._count(some, readable, broken)
                raise
            self.at_once = min(AT_ONCE, 2 * self.at_once)
            found += self._count(some, readable, broken)
            if self.changes is not None:
                # The next states are judged from these, except where a table was set back: then its snapshot numbers
                # come again, perhaps with other rows.
                self.known = NOTHING if left and went_back(some[-1], left[0], self.databases) else broken
        if not left and published:
            self.after = published[-1].hash
        return found

    def _count(
        self, some: Sequence[PublishedCommit], readable: Set[str], broken: Mapping[State, InState]
    ) -> list[Torn]:
        """Count these hashes as done, up to the first readable one with an unknown state. Gives the torn ones."""
        unknown = (
            at
            for at, one in enumerate(some)
            if one.hash in readable and not self._readable(one).keys() <= broken.keys()
        )
        some = some[: next(unknown, len(some))]
        judged = [commit for commit in some if commit.hash in readable]
        first_read = sum(begins(commit, commit.moved) for commit in some)
        self.judged += len(judged)
        self.first_read += first_read
        self.not_looked += len(some) - len(judged) - first_read
        self.waiting -= len(some)
        self.after = some[-1].hash if some else self.after
        torn = _torn(judged, broken, self.databases)
        self.torn += torn
        return torn

    def _readable(self, commit: PublishedCommit) -> States:
        """The commit's states whose files are still promised to be there. A database that is no longer captured stays
        in newer hashes at its last state, which was judged when it was new.
        """
        states = states_of(commit, self.databases)
        return {state: claims for state, claims in states.items() if commit.is_readable(database=claims.source.name)}


def judge(
    stack: Stack,
    commits: Sequence[PublishedCommit],
    broken: dict[State, InState] | None = None,
    databases: Collection[str] = NAMES,
) -> list[Torn]:
    """Which of these hashes show a part of a transaction in these databases' tables; reads every state whole.

    broken: the states known already, which are not read again; every state read is added.
    Raises: CouldNotLook, StatementFailed.
    """
    found = {} if broken is None else broken
    _read(stack, [(commit, states_of(commit, databases)) for commit in commits], found, None)
    return _torn(commits, found, databases)


def _read(
    stack: Stack,
    wanted: Iterable[tuple[PublishedCommit, States]],
    broken: dict[State, InState],
    changes: Changes | None,
) -> None:
    """Add to `broken` the wanted states that it does not have; where a statement fails, those answered before it.
    wanted: hashes, oldest first, each with its states to be judged.

    Raises: CouldNotLook, StatementFailed.
    """
    # Several hashes may hold the same state, for example after a hash that moved only another database's tables.
    newest: dict[State, Asked] = {}
    for commit, states in wanted:
        for state, claims in states.items():
            newest.pop(state, None)
            newest[state] = Asked(state, claims, commit)
    asked = [each for state, each in newest.items() if state not in broken]
    if asked:
        _ask(stack, asked, broken, changes)


def _torn(
    commits: Iterable[PublishedCommit], broken: Mapping[State, InState], databases: Collection[str]
) -> list[Torn]:
    found = (
        (one, tuple(chain.from_iterable(broken.get(state, ()) for state in states_of(one, databases))))
        for one in commits
    )
    return [Torn(commit, broken_in_it) for commit, broken_in_it in found if broken_in_it]


def _ask(
    stack: Stack,
    asked: Sequence[Asked],
    broken: dict[State, InState],
    changes: Changes | None,
) -> None:
    """Add to `broken` each of these different states, oldest hash first. They are asked in one catalog; where that
    fails, in two catalogs of one half each.
    """
    deadline = Deadline(CATALOG_SECONDS)
    try:
        with pinned_trino(stack, asked[-1].commit, deadline) as trino:
            if changes is not None:
                for claims in CLAIMS:
                    of_claims = [each for each in asked if each.claims is claims]
                    _follow(trino, asked[-1].commit, of_claims, broken, changes, deadline)
            for some in _statements([each for each in asked if each.state not in broken]):
                claims = some[0].claims
                sql = claims.lake_sql([each.commit.tables_of(claims.source.name) for each in some])
                rows = trino.run(sql, deadline).rows if sql else ()
                if len(rows) >= MOST and len(some) > 1:
                    # The answer was cut off: rows of one state may have taken the place of another's.
                    break
                broken |= _by_state(claims, some, rows)
                if changes is not None:
                    changes.read_whole += len(some)
            else:
                return
    except StatementFailed:
        # Too much for Trino's memory; or the newest metadata, which Paimon built anew, knows none of the oldest
        # snapshots.
        if len(asked) == 1:
            raise
    left = [each for each in asked if each.state not in broken]
    middle = len(left) // 2
    for half in filter(None, (left[:middle], left[middle:])):
        _ask(stack, half, broken, changes)


def _follow(
    trino: PinnedTrino,
    pinned: PublishedCommit,
    asked: Sequence[Asked],
    broken: dict[State, InState],
    changes: Changes,
    deadline: Deadline,
) -> None:
    """Add to `broken` these states of one database, oldest first. A few at a time are judged by their changes; the
    first one that cannot be is read whole. Answers given count even where a later statement fails. After several
    tries in vain, or where the tables are small, the remaining states are left to the caller.
    """
    left, in_vain = list(asked), 0
    while left and in_vain < IN_VAIN:
        some = left[:CHANGED_IN_ONE_STATEMENT]
        told = judge_by_changes(trino, pinned, some, broken, changes, deadline)
        if told is None:
            return
        broken |= told
        in_vain = 0 if told else in_vain + 1
        unknown = [each for each in some if each.state not in broken]
        if unknown:
            first = unknown[0]
            sql = first.claims.lake_sql([first.snapshots])
            broken |= _by_state(first.claims, [first], trino.run(sql, deadline).rows if sql else ())
            changes.read_whole += 1
        left = [each for each in left if each.state not in broken]


def _statements(asked: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    """The states for each statement: some of one database, those of the oldest hashes first."""
    waiting: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        some = waiting[each.claims.source.name]
        some.append(each)
        if len(some) == IN_ONE_STATEMENT:
            yield waiting.pop(each.claims.source.name)
    yield from waiting.values()


def _by_state(claims: WholeClaims, asked: Sequence[Asked], rows: Sequence[Row]) -> dict[State, InState]:
    """State → what is broken in it, by the rows of one statement over these states."""
    found = claims.broken_by_place(rows, len(asked))
    return {each.state: broken for each, broken in zip(asked, found, strict=True)}


def _of_states(commits: Sequence[PublishedCommit], most: int, databases: Collection[str]) -> int:
    """How many of the first commits together hold at most `most` states of these databases, all of which the metadata
    of the last of them still knows.

    While nobody buys, many hashes hold one state. Where an older state was restored by hand, a table's snapshot is
    older than at the hash before, and its metadata does not know the newer snapshots.
    """
    states: set[State] = set(states_of(commits[0], databases))
    for number, (before, commit) in enumerate(pairwise(commits), start=1):
        states.update(states_of(commit, databases))
        span = max(_steps(commits[0], commit, databases))
        if len(states) > most or span >= SPAN or went_back(before, commit, databases):
            return number
    return len(commits)


def went_back(before: PublishedCommit, after: PublishedCommit, databases: Collection[str]) -> bool:
    """Whether a table has an older snapshot at the later hash: somebody set the table back."""
    return min(_steps(before, after, databases)) < 0


def _steps(before: PublishedCommit, commit: PublishedCommit, databases: Collection[str]) -> list[int]:
    """By how many snapshots each judged table moved on, of the tables that both hashes have."""
    return [
        now[table] - then[table]
        for claims in CLAIMS
        if claims.source.name in databases
        for then, now in [(before.tables_of(claims.source.name), commit.tables_of(claims.source.name))]
        for table in claims.judged
        if table in then and table in now
    ] or [0]
