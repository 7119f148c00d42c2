"""One round of publishing: look, choose a cut, audit, copy metadata, commit on `ingest`, merge into `main`.

All state that matters is in Nessie and the object store: a publisher that is killed anywhere goes on in the next
one's first round, and of two at once the slower one loses the race for a commit and looks again.
"""

import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lakeproof.errors import LakeproofError, TransientError
from lakeproof.lake.nessie import IcebergTable, NessieClient, NessieConflict, Reference
from lakeproof.lake.nessie_commit import Commit
from lakeproof.lake.publish import history
from lakeproof.lake.publish.audit import AuditFailed, QuickAudit, TableState, unreadable_rows
from lakeproof.lake.publish.beat import HEARTBEAT_TABLE, Beat, newest_beat
from lakeproof.lake.publish.commit import (
    HELD,
    LOOKED_THROUGH,
    ONTO,
    DatabaseState,
    author_of,
    made_onto,
    newest_states,
    plain_of,
    properties_of,
    states_of,
    strangers_commit,
)
from lakeproof.lake.publish.cut import Cut, begins_after, choose_newest, moves_on, unchanged
from lakeproof.lake.publish.followed import Followed
from lakeproof.lake.publish.in_parallel import in_parallel
from lakeproof.lake.publish.manifests import MissingFile
from lakeproof.lake.publish.metadata import (
    current_snapshot,
    metadata_key,
    published_copy,
    published_key,
    read_metadata,
)
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.snapshots import Snapshot, get_object
from lakeproof.lake.sources.source import Source
from lakeproof.stack.object_store import LAKE_BUCKET

# Another publisher merges within this time what it committed on `ingest`; one that was killed in between does not.
MERGE_SECONDS = 2.0


class MainMoved(LakeproofError):
    """The commit that `main` showed last is not in its history any more: somebody pointed `main` elsewhere.

    That commit is what this publisher merged last; before its first merge, main's head at ingest's newest commit.
    """


class MainWritten(LakeproofError):
    """Somebody else wrote on main, so a published hash there may show a table that its properties do not tell of."""


class RoundFailed(TransientError):
    """A round ended early; `stage` says where. The next round begins anew."""

    def __init__(self, stage: str, error: BaseException) -> None:
        self.stage = stage
        text = error.message if isinstance(error, LakeproofError) else f"{type(error).__name__}: {error}"
        super().__init__(text, where=f"publish, {stage}")


@dataclass(frozen=True)
class Published:
    """What a round put on `main`, of its database."""

    hash: str
    checkpoint: int
    snapshots: Mapping[str, int]
    seconds: float


@dataclass(frozen=True)
class _Head:
    """What is published so far, by database. states: what `main` shows.

    staged: what `ingest` holds, which the next merge brings with it. tables: what Nessie holds of a database's tables
    on `ingest`, as far as it was asked. These may be outdated: Nessie refuses a commit that would undo another's.
    """

    main: Reference
    ingest: Reference
    states: Mapping[str, DatabaseState]
    staged: Mapping[str, DatabaseState]
    tables: dict[str, dict[str, IcebergTable]] = field(default_factory=dict)

    def snapshots_of(self, database: str) -> Mapping[str, int]:
        state = self.states.get(database)
        return {} if state is None else state.snapshots

    def checkpoint_of(self, database: str) -> int | None:
        state = self.states.get(database)
        return None if state is None else state.checkpoint


class Publisher:
    """Publishes the tables of each database, one a round. Not for several threads; several processes may run.

    Each commit moves one database's tables and tells where the others' stand, so that every hash shows each database
    at one checkpoint of its own job.
    """

    def __init__(self, s3: Any, nessie: NessieClient, metrics: PublisherMetrics, *, use_cut: bool = True) -> None:
        self._s3 = s3
        self._nessie = nessie
        self._metrics = metrics
        self._use_cut = use_cut
        self._executor = ThreadPoolExecutor(6, thread_name_prefix="publish")
        self._audit = QuickAudit(s3, self._executor)
        self._followed: dict[str, Followed] = {}
        self._head: _Head | None = None
        self._merged: str | None = None
        """The newest hash of `main` that this publisher merged or went on from; it is to stay in main's history."""
        self._unmerged: dict[str, tuple[int, float]] = {}
        """Database → the checkpoint that only `ingest` holds, and since when that was seen."""
        self.sees_next = False
        """After a round: some table of its database has begun a checkpoint that is not published: look again soon."""

    def round(self, source: Source, *, frozen: bool = False) -> Published | None:
        """Publish what is new of that database; None where nothing is, or `frozen` keeps it off `main`.

        Raises: RoundFailed (look again later), AuditFailed (the newest state must not be published).
        """
        database = source.name
        self.sees_next = False
        with self._stage("read"):
            # The tables first: while Nessie is away their newest snapshots are still known (`newest`).
            followed = self._followed.setdefault(database, Followed(self._s3, database))
            followed.refresh(self._executor, use_cut=self._use_cut)
            head = self._head or self._read_head()
            seen, keyed = followed.seen(head.snapshots_of(database))
            cut, lag = followed.chosen(seen, keyed) if self._use_cut else (choose_newest(seen), frozenset())
        if self._another_is_about_to_merge(head, database):
            self._head = None
            return None
        self._head = head
        self._metrics.note_main(source, head.states.get(database))
        # For readers a commit without a state of the first source is no published state (commit.py).
        can_be_read = source.first or plain_of(head.staged) is not None
        moves = cut is not None and moves_on(cut, head.snapshots_of(database), head.checkpoint_of(database))
        self.sees_next = not frozen and begins_after(
            head.checkpoint_of(database), (table.snapshots for table in followed.tables.values())
        )
        waits = self.sees_next and self._use_cut and not moves
        followed.awaited = lag if waits else frozenset()
        if cut is None or frozen or not can_be_read or not moves:
            return None
        started = time.monotonic()
        with self._stage("commit"):
            held = self._held(head, database, cut)
        carried = self._carried(head, database, cut, seen, held)
        moved = [table for table in cut.snapshots if table not in carried]
        cut = Cut(cut.checkpoint, {**cut.snapshots, **carried})
        with self._stage("metadata"):
            read = in_parallel(self._executor, lambda table: self._state(database, table, cut), moved)
            states = dict(zip(moved, read, strict=True))
            if any(state is None for state in states.values()):
                # Paimon writes a snapshot's Iceberg metadata a moment after the snapshot.
                return None
            whole = {table: state for table, state in states.items() if state is not None}
            heartbeat = whole.get(HEARTBEAT_TABLE)
            beat = newest_beat(heartbeat.files, heartbeat.metadata) if heartbeat else None
        with self._stage("audit"):
            self._metrics.unreadable_rows.labels(database=database).set(unreadable_rows(cut, whole))
            self._audit.check(cut, whole, same_checkpoint=self._use_cut)
        locations = self._write_copies(database, cut, whole)
        tables = {table: held[table] for table in carried} | {
            table: _entry(state, locations[table], held.get(table)) for table, state in whole.items()
        }
        merged = self._commit(source, head, cut, tables, beat)
        seconds = time.monotonic() - started
        self.sees_next = False
        return Published(merged.hash, cut.checkpoint, cut.ids, seconds)

    def _another_is_about_to_merge(self, head: _Head, database: str) -> bool:
        """True while `ingest` holds a state of the database that `main` does not, for as long as a merge may take.

        To commit upon that state would put the same checkpoint on `main` twice, once by each publisher.
        """
        staged, merged = head.staged.get(database), head.states.get(database)
        if staged is None or (merged is not None and staged.snapshots == merged.snapshots):
            self._unmerged.pop(database, None)
            return False
        now = time.monotonic()
        if self._unmerged.get(database, (None, now))[0] != staged.checkpoint:
            self._unmerged[database] = (staged.checkpoint, now)
        return now - self._unmerged[database][1] < MERGE_SECONDS

    def newest(self, database: str) -> Mapping[str, int]:
        """Table → id of the newest snapshot that the last round saw; published or not."""
        followed = self._followed.get(database)
        seen = {name: table.snapshots for name, table in followed.tables.items()} if followed else {}
        return {name: snapshots[-1].id for name, snapshots in seen.items() if snapshots}

    def _read_head(self) -> _Head:
        """What `main` and `ingest` hold, by the newest commit of each that is ours.

        Raises: MainMoved (to merge there would take promised hashes out of main's history for good); MainWritten;
        AuditFailed where a person set `main` to another branch, until `ingest` is brought in.
        """
        main, ingest = self._nessie.reference(history.MAIN), self._nessie.reference(history.INGEST)
        newest, staged = self._newest(main), self._newest(ingest)
        kept = self._merged or made_onto(staged)
        known = kept is None or any(commit.hash == kept for commit in newest)
        if kept is not None and not known and not self._nessie.holds(main.name, kept):
            raise MainMoved(
                f"main was moved: {kept[:16]}, which it showed last, is not in its history",
                next_action="lakeproof lake rollback",
            )
        held = next((commit.properties.get(HELD) for commit in newest if states_of(commit)), None)
        if held is not None:
            raise AuditFailed(
                f"{main.name} was set to {held} by hand and stays there",
                next_action=f"lakeproof lake merge --from {history.INGEST}",
            )
        theirs = strangers_commit(newest)
        if theirs is not None:
            raise MainWritten(
                f"{author_of(theirs)} wrote {theirs.hash[:16]} on main", next_action="lakeproof lake rollback"
            )
        # Kept also without a merge of ours, since another publisher may merge: the next look need not go back far.
        self._merged = main.hash
        return _Head(main, ingest, newest_states(newest), newest_states(staged))

    def _newest(self, branch: Reference) -> list[Commit]:
        return list(self._nessie.history(branch.name, LOOKED_THROUGH, at_hash=branch.hash))

    def _state(self, database: str, table: str, cut: Cut) -> TableState | None:
        text = get_object(self._s3, metadata_key(database, table, cut.snapshots[table].id))
        if text is None:
            return None
        metadata = read_metadata(text)
        try:
            files = self._followed[database].readers[table].live_files(current_snapshot(metadata)["manifest-list"])
        except MissingFile as missing:
            raise AuditFailed(f"{missing} is missing", where=table) from missing
        return TableState(metadata, tuple(files))

    def _write_copies(self, database: str, cut: Cut, states: Mapping[str, TableState]) -> dict[str, str]:
        at_ms = time.time_ns() // 1_000_000
        unique = uuid.uuid4().hex

        def write(table: str) -> str:
            state, key = states[table], published_key(database, table, at_ms, cut.snapshots[table].id, unique)
            lists = self._followed[database].menders[table].lists(state.metadata, state.files, key)
            copy = published_copy(state.metadata, lists=lists)
            self._s3.put_object(Bucket=LAKE_BUCKET, Key=key, Body=copy, IfNoneMatch="*")
            return f"s3://{LAKE_BUCKET}/{key}"

        with self._stage("metadata"):
            return dict(zip(states, in_parallel(self._executor, write, states), strict=True))

    def _held(self, head: _Head, database: str, cut: Cut) -> dict[str, IcebergTable]:
        """What Nessie holds of the cut's tables on `ingest`; it is asked again only for a table that is new there."""
        known = head.tables.get(database, {})
        if database not in head.staged or not cut.snapshots.keys() <= known.keys():
            known = self._nessie.contents(head.ingest, database, list(cut.ids))
            head.tables[database] = known
        return known

    def _carried(
        self,
        head: _Head,
        database: str,
        cut: Cut,
        seen: Mapping[str, list[Snapshot]],
        held: Mapping[str, IcebergTable],
    ) -> dict[str, Snapshot]:
        """The tables that stay as they are published. Never the heartbeat's: each publish moves at least that one."""
        if not self._use_cut or HEARTBEAT_TABLE not in cut.snapshots:
            return {}
        return {
            table: snapshot
            for table, snapshot in unchanged(cut, seen, head.snapshots_of(database)).items()
            if table != HEARTBEAT_TABLE and table in held and held[table].snapshot_id == snapshot.id
        }

    def _commit(
        self, source: Source, head: _Head, cut: Cut, tables: Mapping[str, IcebergTable], beat: Beat | None
    ) -> Reference:
        """All tables of the database in one commit, also those that stay: Nessie refuses it where one has moved."""
        database = source.name
        gtid, beat_us = (beat.gtid, beat.at_us) if beat else (None, None)
        moved = DatabaseState(cut.checkpoint, gtid, beat_us, cut.ids, datetime.now(UTC))
        # The others' states are ingest's: a publisher that was killed before its merge left more there than on main.
        states = {**head.staged, database: moved}
        properties = properties_of(states, database) | {ONTO: head.main.hash}
        message = f"checkpoint {cut.checkpoint}{source.of}"
        with self._stage("commit"):
            ingest = head.ingest if database in head.staged else self._with_namespace(head.ingest, database)
            ingest = self._nessie.commit_tables(ingest, database, tables, message, properties)
        with self._stage("merge"):
            merged = self._nessie.merge(ingest, head.main, message, properties)
        main = merged.head
        self._merged = main.hash
        states[database] = moved = replace(moved, at=datetime.now(UTC))
        # Nessie gives a new table its content id, so Nessie is asked for new tables next time.
        known = {name: table for name, table in tables.items() if table.content_id is not None}
        self._head = _Head(main, ingest, states, states, head.tables | {database: known})
        if merged.onto != head.main.hash:
            self._head = None  # somebody has written on `main` meanwhile: the next round looks who
        self._metrics.note_main(source, moved)
        return main

    def _with_namespace(self, ingest: Reference, database: str) -> Reference:
        """Make the database's namespace, which its first tables need, where it is not there."""
        if self._nessie.has_namespace(ingest, database):
            return ingest
        return self._nessie.create_namespace(ingest, database)

    @contextmanager
    def _stage(self, stage: str) -> Iterator[None]:
        """Turns what can go wrong outside into RoundFailed, and forgets the head, which may have moved."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except AuditFailed:
            self._head = None
            raise
        except (LakeproofError, BotoCoreError, ClientError, NessieConflict) as error:
            self._head = None
            raise RoundFailed(stage, error) from error

    def close(self) -> None:
        """End its threads."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._nessie.close()


def _entry(state: TableState, location: str, held: IcebergTable | None) -> IcebergTable:
    """What Nessie is told of a table that moves to `state`; `held`: what it has of that table so far."""
    return IcebergTable(
        metadata_location=location,
        snapshot_id=state.metadata["current-snapshot-id"],
        schema_id=state.metadata["current-schema-id"],
        spec_id=state.metadata["default-spec-id"],
        sort_order_id=state.metadata["default-sort-order-id"],
        content_id=held.content_id if held else None,
    )
