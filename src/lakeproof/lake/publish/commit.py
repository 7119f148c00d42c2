"""A published commit's format: what it holds of each database, and until when it can be read.

Its Nessie properties are `database` (whose tables the commit moved), `onto` (main's head when the commit was made on
`ingest`) and, of every database that is published at it: `checkpoint` (of that database's own job), `gtid` (every
source transaction up to it is in), `beat_us` (newest heartbeat in it, UNIX µs by the source database's clock),
`snapshot.<table>`, and `at` where an earlier commit published that state. The first source's properties have these
plain names; another database's begin with `<database>.`.

Existing lakes, scripts and people who read `lake log` know the plain names, which are from the time before there was
a second source. So this file, which writes and reads the format, knows which source is the first (sources/source.py
says who else does). Everywhere else a published state is a mapping: database → DatabaseState.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lakeproof.lake.nessie_commit import OURS, Commit
from lakeproof.lake.sources.source import FIRST, SOURCES, find_source

CHECKPOINT = "checkpoint"
GTID = "gtid"
BEAT_US = "beat_us"
SNAPSHOT = "snapshot."
AT = "at"
DATABASE = "database"
# By this property a publisher that was started anew, and merged nothing yet, knows what main's history has to hold.
ONTO = "onto"
# The branch that `main` was set to by hand (main_branch.py): the publisher leaves it there.
HELD = "held"
# The branch that was brought in by hand: such a commit puts every table, whatever others did to them before.
BY_HAND = "by_hand"
# A commit that is not ours is looked for among this many newest ones of `main`, which Nessie gives in one page.
LOOKED_THROUGH = 50


def covers(beat_us: int | None, instant_us: int, now_us: int) -> bool:
    """Does a published state with that newest beat hold all that was acknowledged before the instant?

    A heartbeat that is later than now was written before the clock was set back, and tells nothing about the instant.
    """
    return beat_us is not None and instant_us <= beat_us <= now_us


@dataclass(frozen=True)
class DatabaseState:
    """The published state of one database's tables: all at one checkpoint of its own job.

    gtid: the transaction's id as its source names it. gtid, beat_us: None while no heartbeat has reached the lake.
    snapshots: table → snapshot id, the same in Paimon and in Iceberg.
    at: when the state was first published, UTC.
    """

    checkpoint: int
    gtid: str | None
    beat_us: int | None
    snapshots: Mapping[str, int]
    at: datetime

    def age_seconds(self, now: datetime | None = None) -> float | None:
        """How old its newest heartbeat is, by the source database's clock: its freshness, whenever it was published.

        None where it holds no heartbeat.
        """
        if self.beat_us is None:
            return None
        return max(0.0, (now or datetime.now(UTC)).timestamp() - self.beat_us / 1e6)


@dataclass(frozen=True)
class PublishedCommit:
    """One published state of all tables.

    at: when it was merged, UTC.
    states: database's name → its state, for every database that is published at this commit.
    readable_until: the data files of the first source's tables stay at least until then; those of another database's
    tables stay as long after the `at` of that database's state.
    moved: the database whose tables this commit moved.
    """

    hash: str
    at: datetime
    states: Mapping[str, DatabaseState]
    readable_until: datetime
    moved: str

    @property
    def plain(self) -> DatabaseState:
        """The first source's state, which is told under plain names, such as a hash's `checkpoint`."""
        return self.states[FIRST.name]

    def is_readable(self, now: datetime | None = None, *, database: str = FIRST.name) -> bool:
        """True while every file of that database's tables at this commit is promised to be there. A database that
        this version does not know counts as the first source.
        """
        later = self.states.get(database, self.plain).at - self.plain.at
        return (now or datetime.now(UTC)) < self.readable_until + later

    def beat_of(self, database: str) -> int | None:
        """The newest heartbeat of that database in it; None where there is none, or the database is not published."""
        state = self.states.get(database)
        return None if state is None else state.beat_us

    def age_seconds(self, database: str, now: datetime | None = None) -> float | None:
        """The age of that database's state (DatabaseState.age_seconds). None also where it is not published."""
        state = self.states.get(database)
        return None if state is None else state.age_seconds(now)

    def tables_of(self, database: str) -> Mapping[str, int]:
        """Table → snapshot id of that database; empty where it is not published."""
        state = self.states.get(database)
        return {} if state is None else state.snapshots

    def as_json(self) -> dict[str, object]:
        """The shape of `lake log --json`: the first source's state at the top, `others` below it. Another database's
        tables are named with their database.
        """
        others = {name: state for name, state in self.states.items() if name != FIRST.name}
        qualified = {
            f"{name}.{table}": snapshot
            for name, state in others.items()
            for table, snapshot in state.snapshots.items()
        }
        return {
            "hash": self.hash,
            "at": self.at.isoformat(),
            "checkpoint": self.plain.checkpoint,
            "tables": dict(self.plain.snapshots) | qualified,
            "gtid": self.plain.gtid,
            "beat_us": self.plain.beat_us,
            "readable_until": self.readable_until.isoformat(),
            "moved": self.moved,
            "others": {
                name: {
                    "checkpoint": state.checkpoint,
                    "gtid": state.gtid,
                    "beat_us": state.beat_us,
                    "at": state.at.isoformat(),
                }
                for name, state in others.items()
            },
        }


def plain_of(states: Mapping[str, DatabaseState]) -> DatabaseState | None:
    """The state that is told under plain names. None: for readers these states are not published."""
    return states.get(FIRST.name)


def properties_of(states: Mapping[str, DatabaseState], moved: str | None = None) -> dict[str, str]:
    """The properties of a commit at which these states are published; `read_commit` is their inverse.

    moved: the database whose state this commit publishes; the other states are of earlier commits. None: all states
    are of earlier commits, and a person puts them again; `database` then names the first source.
    """
    properties = {DATABASE: moved or FIRST.name}
    for name, state in states.items():
        told = {
            CHECKPOINT: state.checkpoint,
            GTID: state.gtid,
            BEAT_US: state.beat_us,
            AT: None if name == moved else state.at.isoformat(),
            **{f"{SNAPSHOT}{table}": snapshot for table, snapshot in state.snapshots.items()},
        }
        begin = find_source(name).prefix(".")
        properties |= {f"{begin}{key}": str(value) for key, value in told.items() if value is not None}
    return properties


def made_onto(ingest: Iterable[Commit]) -> str | None:
    """main's head when the newest of ingest's commits was made; None where none of them tells it."""
    return next((commit.properties[ONTO] for commit in ingest if ONTO in commit.properties), None)


def states_of(commit: Commit) -> dict[str, DatabaseState]:
    """Every database's published state that a commit carries; empty for other commits (a namespace, a person's)."""
    properties = commit.properties
    states = {}
    for source in SOURCES:
        begin = source.prefix(".")
        if f"{begin}{CHECKPOINT}" not in properties:
            continue
        snapshots = {
            key.removeprefix(f"{begin}{SNAPSHOT}"): int(value)
            for key, value in properties.items()
            if key.startswith(f"{begin}{SNAPSHOT}")
        }
        beat, at = properties.get(f"{begin}{BEAT_US}"), properties.get(f"{begin}{AT}")
        states[source.name] = DatabaseState(
            int(properties[f"{begin}{CHECKPOINT}"]),
            properties.get(f"{begin}{GTID}"),
            None if beat is None else int(beat),
            dict(sorted(snapshots.items())),
            commit.at.astimezone(UTC) if at is None else datetime.fromisoformat(at),
        )
    return states


def newest_states(commits: Iterable[Commit]) -> dict[str, DatabaseState]:
    """The states that the newest published commit carries; empty where none is published. commits: newest first."""
    return next((states for commit in commits if (states := states_of(commit))), {})


def is_ours(commit: Commit) -> bool:
    """True for a published state, and for a namespace that we made for a database's first tables."""
    return bool(states_of(commit)) or (commit.author == OURS and commit.message.startswith("create namespace "))


def is_made_ready(commit: Commit) -> bool:
    """True for a state that the publisher made ready on `ingest`. A published commit has the same properties, but is
    a merge; a commit that was brought in by hand has the property BY_HAND.
    """
    return bool(states_of(commit)) and not commit.merged and BY_HAND not in commit.properties


def strangers_commit(commits: Iterable[Commit]) -> Commit | None:
    """The newest commit that is not ours, also one below later publishes, since these do not move every table.

    None below a commit that was brought in by hand, which puts every table. commits: newest first.
    """
    for commit in commits:
        if BY_HAND in commit.properties or HELD in commit.properties:
            return None
        if not is_ours(commit):
            return commit
    return None


def author_of(commit: Commit) -> str:
    """Who wrote the commit, as its author says."""
    return commit.author or "somebody who does not say"


def read_commit(commit: Commit, readable_seconds: float) -> PublishedCommit | None:
    """The published state that a commit carries; None for other commits (a namespace, a person's)."""
    states = states_of(commit)
    plain = plain_of(states)
    if plain is None:
        return None
    return PublishedCommit(
        hash=commit.hash,
        at=commit.at.astimezone(UTC),
        states=states,
        readable_until=plain.at + timedelta(seconds=readable_seconds),
        moved=commit.properties.get(DATABASE, FIRST.name),
    )
