"""Chooses, in every table, the snapshot of one and the same checkpoint. Pure: snapshots in, choice out.

Paimon commits a checkpoint of a table with a primary key as APPEND (its rows lie in level 0, which Iceberg readers
do not see) and then COMPACT with the same identifier; one without rows as a single empty APPEND. A table without a
primary key is readable after its APPEND; its COMPACT changes no row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lakeproof.lake.publish.snapshots import BATCH_IDENTIFIER, Kind, Snapshot


@dataclass(frozen=True)
class Cut:
    """The chosen state: every table's snapshot at `checkpoint`."""

    checkpoint: int
    snapshots: Mapping[str, Snapshot]

    @property
    def ids(self) -> dict[str, int]:
        """Table → snapshot id."""
        return {table: snapshot.id for table, snapshot in self.snapshots.items()}


def of_newest_writer(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """The snapshots of the job that writes now; a job that was started without state counts from 1 again."""
    jobs = [snapshot for snapshot in snapshots if snapshot.checkpoint != BATCH_IDENTIFIER]
    return [snapshot for snapshot in jobs if snapshot.writer == jobs[-1].writer] if jobs else []


def readable_through(snapshots: Sequence[Snapshot], has_primary_key: bool) -> int:
    """The newest checkpoint whose rows are all readable; `snapshots` (not empty) are one writer's, oldest first."""
    newest = snapshots[-1]
    if not has_primary_key or newest.kind is Kind.COMPACT or newest.delta_records == 0:
        return newest.checkpoint
    return newest.checkpoint - 1


def choose_cut(tables: Mapping[str, Sequence[Snapshot]], has_primary_key: Mapping[str, bool]) -> Cut | None:
    """The newest checkpoint that is readable in every table; None where there is none yet.

    `tables`: all snapshots seen, by table, oldest first.
    """
    own = {table: of_newest_writer(snapshots) for table, snapshots in tables.items()}
    if not own or not all(own.values()):
        return None
    checkpoint = min(_through(own, has_primary_key).values())
    chosen: dict[str, Snapshot] = {}
    for table, snapshots in own.items():
        at_or_before = [snapshot for snapshot in snapshots if snapshot.checkpoint <= checkpoint]
        if not at_or_before:
            return None
        chosen[table] = at_or_before[-1]
    return Cut(checkpoint, chosen)


def lagging(tables: Mapping[str, Sequence[Snapshot]], has_primary_key: Mapping[str, bool]) -> frozenset[str]:
    """The tables that hold the cut back: until they move no later checkpoint can be chosen. All where none can."""
    own = {table: of_newest_writer(snapshots) for table, snapshots in tables.items()}
    if not all(own.values()):
        return frozenset(own)
    through = _through(own, has_primary_key)
    return frozenset(table for table in through if through[table] == min(through.values()))


def _through(own: Mapping[str, Sequence[Snapshot]], has_primary_key: Mapping[str, bool]) -> dict[str, int]:
    return {table: readable_through(snapshots, has_primary_key[table]) for table, snapshots in own.items()}


def choose_newest(tables: Mapping[str, Sequence[Snapshot]]) -> Cut | None:
    """Each table's newest snapshot, whatever its checkpoint: for proofs that this shows parts of transactions."""
    if not tables or not all(tables.values()):
        return None
    newest = {table: snapshots[-1] for table, snapshots in tables.items()}
    identifiers = [snapshot.checkpoint for snapshot in newest.values() if snapshot.checkpoint != BATCH_IDENTIFIER]
    return Cut(max(identifiers, default=0), newest)


def moves_on(cut: Cut, published: Mapping[str, int], published_checkpoint: int | None) -> bool:
    """True when `cut` is worth publishing: something is newer, nothing older, and it is another checkpoint."""
    ids = cut.ids
    if cut.checkpoint == published_checkpoint and ids.keys() <= published.keys():
        return False
    older = any(ids[table] < published[table] for table in ids.keys() & published.keys())
    newer = any(ids[table] > published.get(table, 0) for table in ids)
    return newer and not older


def begins_after(checkpoint: int | None, tables: Iterable[Sequence[Snapshot]]) -> bool:
    """True when some table's newest snapshot is of a later checkpoint: the others' will follow within moments."""
    newest = (snapshots[-1].checkpoint for snapshots in tables if snapshots)
    return any(found != BATCH_IDENTIFIER and found > (checkpoint or 0) for found in newest)
