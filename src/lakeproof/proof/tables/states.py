"""What the claims of whole_claims.py judge at a published hash: one state of the tables of each captured database."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.sources.source import NAMES
from lakeproof.proof.tables.whole_claims import CLAIMS, Broken, WholeClaims

# A database, and the snapshots of its judged tables. Hashes that share a state need only one look.
type State = tuple[str, tuple[int | None, ...]]
# What is broken in a state; empty where the state is whole.
type InState = tuple[Broken, ...]
NOTHING: Mapping[State, InState] = MappingProxyType({})
# The states of one hash, each with the claims on it.
type States = Mapping[State, WholeClaims]


@dataclass(frozen=True)
class Asked:
    """A state of one database, the claims on it, and the newest of the hashes that hold it."""

    state: State
    claims: WholeClaims
    commit: PublishedCommit

    @property
    def snapshots(self) -> dict[str, int]:
        """As `snapshots_in`."""
        return snapshots_in(self.state, self.claims)


def snapshots_in(state: State, claims: WholeClaims) -> dict[str, int]:
    """Table → its snapshot, for the judged tables that are in the state."""
    return {table: held for table, held in zip(claims.judged, state[1], strict=True) if held is not None}


def begins(commit: PublishedCommit, database: str) -> bool:
    """Whether, at that hash, the database's tables are still being read for the first time: row by row, not by
    transactions. No heartbeat of a transaction has come yet.
    """
    state = commit.states.get(database)
    return state is not None and state.gtid is None


def states_of(commit: PublishedCommit, databases: Collection[str] = NAMES) -> States:
    """What the claims read at that hash: the state of each of these databases, except those whose tables are still
    being read for the first time.
    """
    return {
        (database, tuple(tables.get(table) for table in claims.judged)): claims
        for claims in CLAIMS
        for database in [claims.source.name]
        for tables in [commit.tables_of(database)]
        if database in databases and tables and not begins(commit, database)
    }
