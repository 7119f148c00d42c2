"""Chooses, in every table, the snapshot of one and the same checkpoint. Pure: snapshots in, choice out.

Paimon commits a checkpoint of a table with a primary key as APPEND, whose rows lie in level 0, which Iceberg readers
do not see, and then as COMPACT with the same identifier, which moves them up. A checkpoint without rows is one empty
APPEND. A table without a primary key is readable after its APPEND; its COMPACT changes no row.

The job may die between the two commits. Its recovery then takes the whole checkpoint for committed
(FileStoreCommitImpl.filterCommitted compares nothing but the identifier), so the COMPACT of that checkpoint never
comes: its rows stay in level 0 until the restored writer compacts them with a later checkpoint. A checkpoint that was
left like this is never readable, and is passed over.
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


def readable_checkpoints(snapshots: Sequence[Snapshot], has_primary_key: bool) -> dict[int, Snapshot]:
    """Checkpoint → its last snapshot, for the checkpoints of the newest writer at which readers see every row.

    `snapshots`: all known ones of a table, also other writers', oldest first. What lies before the first of them is
    not known and counts as readable: a table may have been idle for longer than its known snapshots reach back. The
    audit counts the rows of whatever is chosen, and refuses a state with rows that readers do not see.
    """
    own = {snapshot.id for snapshot in of_newest_writer(snapshots)}
    found: dict[int, Snapshot] = {}
    is_readable = True
    for snapshot in snapshots:
        is_readable = not has_primary_key or _is_readable_after(snapshot, is_readable)
        if snapshot.id in own and is_readable:
            found[snapshot.checkpoint] = snapshot
        elif snapshot.id in own:
            found.pop(snapshot.checkpoint, None)
    return found


def _is_readable_after(snapshot: Snapshot, before: bool) -> bool:
    """Whether readers see every row of a table with a primary key; `before`: whether they did before `snapshot`.

    A COMPACT may leave out a bucket whose writer is not open; the audit sees that, by the number of rows.
    """
    if snapshot.kind is Kind.COMPACT:
        return True
    # An OVERWRITE that removes as many rows as it brings counts none, so its count tells nothing.
    is_empty = snapshot.kind is Kind.ANALYZE or (snapshot.kind is Kind.APPEND and snapshot.delta_records == 0)
    return before and is_empty


def choose_cut(tables: Mapping[str, Sequence[Snapshot]], has_primary_key: Mapping[str, bool]) -> Cut | None:
    """The newest checkpoint that is readable in every table; None where there is none yet.

    Every table must have a snapshot of just that checkpoint. The job makes one in each table at each checkpoint, also
    without rows (commit.force-create-snapshot). A checkpoint that Flink gave up may still be committed, together with
    the next one, in those tables that had already written it. The other tables then have no snapshot of it: what they
    got at that time comes with the next checkpoint, and their older snapshot would not be of the same instant.

    `tables`: all snapshots seen, by table, oldest first.
    """
    readable = {table: readable_checkpoints(seen, has_primary_key[table]) for table, seen in tables.items() if seen}
    if not readable or len(readable) < len(tables):
        return None
    common = set.intersection(*(set(found) for found in readable.values()))
    if not common:
        return None
    checkpoint = max(common)
    return Cut(checkpoint, {table: found[checkpoint] for table, found in readable.items()})


def lagging(tables: Mapping[str, Sequence[Snapshot]], has_primary_key: Mapping[str, bool]) -> frozenset[str]:
    """The tables in which the newest begun checkpoint is not readable yet: it can be chosen once they move.

    All tables where one has no snapshot, and where none lags.
    """
    own = {table: of_newest_writer(snapshots) for table, snapshots in tables.items()}
    if not own or not all(own.values()):
        return frozenset(own)
    newest = max(snapshots[-1].checkpoint for snapshots in own.values())
    found = frozenset(
        table for table, seen in tables.items() if newest not in readable_checkpoints(seen, has_primary_key[table])
    )
    return found or frozenset(own)


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
