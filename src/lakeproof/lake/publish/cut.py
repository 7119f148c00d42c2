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

# An unchanged table keeps its published snapshot for at most this long and over at most this many newer ones. Then it
# moves all the same: Paimon removes an older snapshot's files (spec.py, RETENTION_MARGIN_SECONDS leaves more time),
# and readers look for earlier hashes' snapshots among the newest 40, which a published copy of the metadata knows.
CARRIED_SECONDS = 60
CARRIED_SNAPSHOTS = 20


@dataclass(frozen=True)
class Cut:
    """The chosen state: every table's snapshot at `checkpoint`."""

    checkpoint: int
    snapshots: Mapping[str, Snapshot]

    @property
    def ids(self) -> dict[str, int]:
        """Table → snapshot id."""
        return {table: snapshot.id for table, snapshot in self.snapshots.items()}


def newest_of_a_job(snapshots: Sequence[Snapshot]) -> Snapshot | None:
    """The newest snapshot that belongs to a checkpoint; its writer is the job that writes now."""
    return next((each for each in reversed(snapshots) if each.checkpoint != BATCH_IDENTIFIER), None)


def readable_checkpoints(snapshots: Sequence[Snapshot], has_primary_key: bool) -> dict[int, Snapshot]:
    """Checkpoint → its last snapshot, for the checkpoints of the newest writer at which readers see every row.

    `snapshots`: all known ones of a table, also other writers', oldest first. What lies before the first of them is
    not known and counts as readable: a table may have been idle for longer than its known snapshots reach back. The
    audit counts the rows of whatever is chosen, and refuses a state with rows that readers do not see.
    """
    newest = newest_of_a_job(snapshots)
    found: dict[int, Snapshot] = {}
    is_readable = True
    for snapshot in snapshots:
        is_readable = not has_primary_key or _is_readable_after(snapshot, is_readable)
        # A job that was started without state is another writer, and counts its checkpoints from 1 again.
        if newest is None or snapshot.writer != newest.writer or snapshot.checkpoint == BATCH_IDENTIFIER:
            continue
        if is_readable:
            found[snapshot.checkpoint] = snapshot
        else:
            found.pop(snapshot.checkpoint, None)
    return found


def _is_readable_after(snapshot: Snapshot, before: bool) -> bool:
    """Whether readers see every row of a table with a primary key; `before`: whether they did before `snapshot`.

    A COMPACT may leave out a bucket whose writer is not open; the audit sees that, by the number of rows.
    """
    if snapshot.kind is Kind.COMPACT:
        return True
    if not before:
        return False
    # An OVERWRITE that removes as many rows as it brings counts none, so its count tells nothing.
    return snapshot.kind is Kind.ANALYZE or (snapshot.kind is Kind.APPEND and snapshot.delta_records == 0)


def choose_cut(tables: Mapping[str, Sequence[Snapshot]], has_primary_key: Mapping[str, bool]) -> Cut | None:
    """The newest checkpoint that is readable in every table; None where there is none yet.

    Every table must have a snapshot of just that checkpoint. The job makes one in each table at each checkpoint, also
    without rows (commit.force-create-snapshot). A checkpoint that Flink gave up may still be committed, together with
    the next one, in those tables that had already written it. The other tables then have no snapshot of it: what they
    got at that time comes with the next checkpoint, and their older snapshot would not be of the same instant.

    `tables`: all snapshots seen, by table, oldest first.
    """
    readable = {table: readable_checkpoints(seen, has_primary_key[table]) for table, seen in tables.items() if seen}
    common = set.intersection(*(set(found) for found in readable.values())) if readable else set()
    if not common or len(readable) < len(tables):
        return None
    checkpoint = max(common)
    return Cut(checkpoint, {table: found[checkpoint] for table, found in readable.items()})


def lagging(tables: Mapping[str, Sequence[Snapshot]], has_primary_key: Mapping[str, bool]) -> frozenset[str]:
    """The tables in which the newest begun checkpoint is not readable yet: it can be chosen once they move.

    Gives all tables where one of them has no snapshot, and where none lags.
    """
    begun = [newest_of_a_job(snapshots) for snapshots in tables.values()]
    newest = max((snapshot.checkpoint for snapshot in begun if snapshot is not None), default=0)
    lag = frozenset(
        table
        for table, seen in tables.items()
        if seen and newest not in readable_checkpoints(seen, has_primary_key[table])
    )
    return lag if lag and None not in begun else frozenset(tables)


def choose_newest(tables: Mapping[str, Sequence[Snapshot]]) -> Cut | None:
    """Each table's newest snapshot, whatever its checkpoint: for proofs that this shows parts of transactions."""
    if not tables or not all(tables.values()):
        return None
    newest = {table: snapshots[-1] for table, snapshots in tables.items()}
    identifiers = [snapshot.checkpoint for snapshot in newest.values() if snapshot.checkpoint != BATCH_IDENTIFIER]
    return Cut(max(identifiers, default=0), newest)


def unchanged(
    cut: Cut, tables: Mapping[str, Sequence[Snapshot]], published: Mapping[str, int]
) -> dict[str, Snapshot]:
    """Table → its published snapshot, for those where nothing but empty snapshots follows it up to the cut.

    A reader sees the same rows in both, so the table need be neither read, audited nor copied again. Where one of
    them has stayed for as long as it may, all move: at rest they then go on moving together, and the audit has fewer
    states to read.
    """
    stays = {}
    one_must_move = False
    for table, chosen in cut.snapshots.items():
        since = [each for each in tables[table] if published.get(table, chosen.id) <= each.id <= chosen.id]
        if len(since) < 2 or since[0].id != published[table]:
            continue
        old = since[0]
        if all(_is_empty_after(old, each) for each in since[1:]):
            stays[table] = old
            is_old = chosen.at_ms - old.at_ms > CARRIED_SECONDS * 1000
            one_must_move = one_must_move or is_old or len(since) > CARRIED_SNAPSHOTS
    return {} if one_must_move else stays


def _is_empty_after(old: Snapshot, snapshot: Snapshot) -> bool:
    """Whether `snapshot` changes nothing of what `old` shows: neither rows, nor files, nor columns."""
    is_empty = snapshot.kind is Kind.APPEND and snapshot.delta_records == 0
    return is_empty and (snapshot.total_records, snapshot.schema_id) == (old.total_records, old.schema_id)


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
