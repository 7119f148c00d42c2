"""Faults of the scenario lake-commit-failure."""

import re
import time
from contextlib import closing, suppress

from pydantic import Field

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, NotReady, TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import gap, rewriting
from lakeproof.lake.capture.commands import send
from lakeproof.lake.job.submission import ensure_submitted
from lakeproof.lake.nessie import IcebergTable, NessieClient, NessieConflict, Reference, client_of
from lakeproof.lake.nessie_commit import OURS
from lakeproof.lake.publish.commit import is_ours
from lakeproof.lake.publish.history import MAIN
from lakeproof.lake.publish.main_branch import author_on_main, roll_back
from lakeproof.lake.query.paimon import paimon
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes.nessie import LOST, last_merge_kept
from lakeproof.probes.object_store import FULL, writes_in_words
from lakeproof.probes.publisher import NOTHING_FOUND, audit_finding
from lakeproof.processes import detached
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import Health
from lakeproof.stack.engines import minio, store_disk
from lakeproof.stack.engines.minio import moved_out_folder
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.lake_commit_failure.dump import BUCKET

SECONDS = 30.0

STATEMENT_SECONDS = 120.0


class DeletedLakeRows(Fault):
    """Delete rows of the lake's own table, as somebody else.

    Somebody deletes rows from the lake's own table by Paimon's SQL, as a clean-up job with the wrong address would.

    The database has the rows, and capture has delivered them once and for all: nothing that runs brings them back.

    `table`: one of the order database whose key is `id`. `rows`: how many are deleted, the oldest first.
    """

    through_capture = True

    table: str = Field("order_items", pattern=r"^\w+$")
    rows: int = Field(20, ge=1, le=1000)

    def inject(self, stack: Stack) -> None:
        """Delete the rows. A second call finds none of them, and deletes no others.

        Raises: InvalidInput where the table has no row; as rewriting.write_to_lake.
        """
        ids = self._oldest(stack)
        if not ids:
            raise InvalidInput("it has no row", where=f"{OLTP.name}.{self.table}", next_action="lakeproof traffic")
        rewriting.write_to_lake(stack, OLTP, f"DELETE FROM {self._in_lake()} WHERE id IN ({_listed(ids)})")

    def remove(self, stack: Stack) -> None:
        """Bring back the rows that the lake lacks. The job, `main` and the connector go on, whatever stopped them.

        An earlier call may have brought the rows and have ended before `main` showed them: then an audit still tells.
        """
        ensure_submitted(stack, OLTP)
        roll_back(stack)
        if self.sign(stack).holds or audit_finding(stack, SECONDS, OLTP) != NOTHING_FOUND:
            gap.bridge(stack, OLTP.connector)
        else:
            send(stack, "PUT", f"/connectors/{OLTP.connector}/resume", absent_is_fine=True)

    def sign(self, stack: Stack) -> Sign:
        """The table's newest snapshot lacks some of the oldest rows, published or not."""
        ids = self._oldest(stack)
        there = self._still_there(stack, ids) if ids else 0
        return Sign(there < len(ids), f"the lake's {self.table} has {there} of its {len(ids)} oldest rows")

    def _still_there(self, stack: Stack, ids: list[int]) -> int:
        with paimon(stack) as flink:
            counted = f"SELECT COUNT(*) FROM {self._in_lake()} WHERE id IN ({_listed(ids)})"
            ((there,),) = flink.run(counted, Deadline(STATEMENT_SECONDS)).rows
        return int(there)

    def _oldest(self, stack: Stack) -> list[int]:
        with mariadb.as_root(stack, SECONDS) as cursor:
            cursor.execute(f"SELECT id FROM {OLTP.name}.{self.table} ORDER BY id LIMIT {self.rows}")
            return [int(id_) for (id_,) in cursor.fetchall()]

    def _in_lake(self) -> str:
        return f"store.{OLTP.name}.{self.table}"


def _listed(ids: list[int]) -> str:
    return ", ".join(str(id_) for id_ in ids)


STORE = "minio"

PROCESS = "filled_store"

# An archive of the dump, as offload_bucket names it.
ARCHIVE = re.compile(rf"{BUCKET}-\d{{8}}T\d+\.tar")

HELD_SECONDS, END_SECONDS, FULL_LOOK_SECONDS, BACK_SECONDS, FULL_SECONDS = 5.0, 10.0, 2.0, 60.0, 180.0

# The store must have said for this long that it is full, whatever others write and delete meanwhile.
STEADY_SECONDS = 5.0


class FilledStore(Fault):
    """Fill the object store by a dump of somebody's.

    The object store is full: somebody writes a large dump into a bucket of their own, until the store takes no more.

    The dump comes by S3, as anybody's does, from a process of its own (dump.py), since it must outlive the command
    that makes the fault. The store's objects are moved onto a small disk first, so that the dump fills the store and
    not the machine; for that the store is away for some seconds (store_disk.py; root alone may do that).

    `room_mb`: how many MiB the small disk has left before the dump comes.
    """

    room_mb: int = Field(64, ge=16, le=4096)

    def inject(self, stack: Stack) -> None:
        """Move the store to a small disk, unless it has one, and have that filled.

        Raises: TerminalError; DeadlineExpired where the store is not full in time.
        """
        client = our_processes(stack, "move the objects of the store")
        if not store_disk.has_own_disk(stack):
            if BUCKET in [each["Name"] for each in s3_client(stack).list_buckets()["Buckets"]]:
                raise TerminalError(
                    f"there is a bucket {BUCKET}", where=STORE, next_action="it would be lost: rename it"
                )
            with minio.may_not_start(stack, HELD_SECONDS):
                store_disk.make_disk(stack, self.room_mb << 20)
                _end(client, counted=True)
                store_disk.move_to_disk(stack)
            _await_back(client)
        detached.start(stack, PROCESS, "lakeproof_shop.scenarios.lake_commit_failure.dump")
        since = time.monotonic()

        def full() -> bool:
            nonlocal since
            seen = writes_in_words(stack, FULL_LOOK_SECONDS)
            if seen != FULL:
                since = time.monotonic()
            if time.monotonic() - since < STEADY_SECONDS:
                raise NotReady(seen, where=STORE)
            return True

        Deadline(FULL_SECONDS).wait_for(f"{STORE} to be full", full, every=0.3)

    def remove(self, stack: Stack) -> None:
        """Bring all objects but the dump's back to where they were; the store dies once more meanwhile."""
        detached.end(stack, PROCESS)
        if not store_disk.was_moved(stack):
            return
        client = SupervisorClient(stack)
        running = client.running()
        with minio.may_not_start(stack, HELD_SECONDS):
            if running:
                _end(client, counted=False)
            store_disk.give_back(stack, lambda bucket: bucket == BUCKET)
            store_disk.remove_disk(stack)
        if running:
            client.start(STORE)
        for archive in moved_out_folder(stack).glob(f"{BUCKET}-*.tar"):
            if ARCHIVE.fullmatch(archive.name):
                archive.unlink()

    def sign(self, stack: Stack) -> Sign:
        """The store refuses an object of our own, since it is full."""
        seen = writes_in_words(stack, FULL_LOOK_SECONDS)
        return Sign(seen == FULL, f"{STORE}: {seen}")


def _end(client: SupervisorClient, *, counted: bool) -> None:
    """Have the store die, as by an accident. (A stop by command would keep the alerts quiet for two minutes.) It
    comes back by itself once it may start. counted: whether that counts as one of its restarts.
    """
    before = client.row(STORE)
    if before.pid is not None:
        client.kill(STORE, counted=counted)
        Deadline(END_SECONDS).wait_for(
            f"{STORE} to end", lambda: True if client.row(STORE).pid != before.pid else None, every=0.05
        )


def _await_back(client: SupervisorClient) -> None:
    Deadline(BACK_SECONDS).wait_for(
        f"{STORE} to be well again",
        lambda: True if client.row(STORE).health is Health.HEALTHY else None,
        every=0.2,
    )


LOOK_SECONDS = 5.0

LOOKED_BACK = 100


class MovedMain(Fault):
    """Point main at what it showed some publishes ago.

    `publishes`: how many publishes `main` is moved back.
    """

    publishes: int = Field(5, ge=1, le=LOOKED_BACK - 1)

    def inject(self, stack: Stack) -> None:
        """Move `main` once; safe where it was moved. Raises: TerminalError where too little was published."""
        if last_merge_kept(stack, LOOK_SECONDS) == LOST:
            return
        deadline, moved = Deadline(SECONDS), False
        with closing(client_of(stack)) as nessie:
            while not moved:
                main = nessie.reference(MAIN)
                newest = nessie.history(MAIN, LOOKED_BACK, at_hash=main.hash)
                ours = [commit.hash for commit in newest if is_ours(commit)]
                if len(ours) <= self.publishes:
                    raise TerminalError(
                        f"only {len(ours)} states are published", where=MAIN, next_action="try it later"
                    )
                with suppress(NessieConflict):  # the publisher has moved it meanwhile
                    nessie.assign(main, ours[self.publishes])
                    moved = True
                if not moved and deadline.expired:
                    raise TerminalError("the publisher was faster each time", where=MAIN, next_action="try it again")

    def remove(self, stack: Stack) -> None:
        """Have `main` begin again at the last published state."""
        roll_back(stack)

    def sign(self, stack: Stack) -> Sign:
        """What the publisher merged last is not in main's history."""
        seen = last_merge_kept(stack, LOOK_SECONDS)
        return Sign(seen == LOST, f"what the publisher merged last: {seen}")


AUTHOR = "somebody"

LOOKED_BACK_FOR_WRITES = 60


class WrittenMain(Fault):
    """Write an older table on main, as somebody else.

    Somebody writes on `main` by Nessie's REST API: one table is set back to what it was some publishes ago.

    Readers of `main` then see that table older than the others, and Nessie refuses the publisher's next merge: both
    have changed the table. The table must be one that changes with each publish, so shoppers have to buy meanwhile.

    `table`: one of the order database. `publishes`: the table is set back by at least so many publishes.
    """

    table: str = "orders"
    publishes: int = Field(3, ge=1, le=LOOKED_BACK_FOR_WRITES // 2)

    def inject(self, stack: Stack) -> None:
        """Write once; safe where somebody else wrote last. Raises: TerminalError where it has not changed lately."""
        deadline = Deadline(SECONDS)
        with closing(client_of(stack)) as nessie:
            while author_on_main(nessie) == OURS:
                if deadline.expired:
                    raise TerminalError("the publisher was faster each time", where=MAIN, next_action="try it again")
                main = nessie.reference(MAIN)
                with suppress(NessieConflict):  # the publisher has moved the table meanwhile
                    older = _older(nessie, main, self)
                    message = f"set {self.table} back"
                    nessie.commit_tables(main, OLTP.name, {self.table: older}, message, {}, AUTHOR)

    def remove(self, stack: Stack) -> None:
        """Have `main` begin again at the last published state."""
        roll_back(stack)

    def sign(self, stack: Stack) -> Sign:
        """A commit among the newest on `main` is not the publisher's."""
        with closing(client_of(stack)) as nessie:
            author = author_on_main(nessie)
        return Sign(author != OURS, f"of the newest commits on {MAIN}: {author}")


def _older(nessie: NessieClient, main: Reference, arguments: WrittenMain) -> IcebergTable:
    def at(commit: str) -> IcebergTable | None:
        found = nessie.contents(Reference("BRANCH", MAIN, commit), OLTP.name, [arguments.table])
        return found.get(arguments.table)

    now = at(main.hash)
    ours = [
        commit.hash for commit in nessie.history(MAIN, LOOKED_BACK_FOR_WRITES, at_hash=main.hash) if is_ours(commit)
    ]
    for commit in ours[arguments.publishes :]:
        older = at(commit)
        if now is not None and older is not None and older.metadata_location != now.metadata_location:
            return older
    raise TerminalError(
        "it has not changed lately", where=f"{OLTP.name}.{arguments.table}", next_action="lakeproof traffic"
    )
