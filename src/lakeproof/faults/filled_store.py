"""The object store is full: somebody writes a large dump into a bucket of their own, until the store takes no more.

The dump comes by S3, as anybody's does, from a process of its own (dump.py), since it must outlive the command that
makes the fault. The store's objects are moved onto a small disk first, so that the dump fills the store and not the
machine; for that the store is away for some seconds (store_disk.py; root alone may do that).
"""

import re
import time

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady, TerminalError
from lakeproof.faults.dump import BUCKET
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.object_store import FULL, writes_in_words
from lakeproof.processes import detached
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import Health
from lakeproof.stack.engines import minio, store_disk
from lakeproof.stack.engines.minio import moved_out_folder
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

STORE = "minio"
PROCESS = "filled_store"
# An archive of the dump, as offload_bucket names it.
ARCHIVE = re.compile(rf"{BUCKET}-\d{{8}}T\d+\.tar")
HELD_SECONDS, END_SECONDS, LOOK_SECONDS, BACK_SECONDS, FULL_SECONDS = 5.0, 10.0, 2.0, 60.0, 180.0
# The store must have said for this long that it is full, whatever others write and delete meanwhile.
STEADY_SECONDS = 5.0


class FilledStore(Arguments):
    """`room_mb`: how many MiB the small disk has left before the dump comes."""

    room_mb: int = Field(64, ge=16, le=4096)


def inject(stack: Stack, arguments: FilledStore) -> None:
    """Move the store to a small disk, unless it has one, and have that filled.

    Raises: TerminalError; DeadlineExpired where the store is not full in time.
    """
    client = our_processes(stack, "move the objects of the store")
    if not store_disk.has_own_disk(stack):
        if BUCKET in [each["Name"] for each in s3_client(stack).list_buckets()["Buckets"]]:
            raise TerminalError(f"there is a bucket {BUCKET}", where=STORE, next_action="it would be lost: rename it")
        with minio.may_not_start(stack, HELD_SECONDS):
            store_disk.make_disk(stack, arguments.room_mb << 20)
            _end(client, counted=True)
            store_disk.move_to_disk(stack)
        _await_back(client)
    detached.start(stack, PROCESS, "lakeproof.faults.dump")
    since = time.monotonic()

    def full() -> bool:
        nonlocal since
        seen = writes_in_words(stack, LOOK_SECONDS)
        if seen != FULL:
            since = time.monotonic()
        if time.monotonic() - since < STEADY_SECONDS:
            raise NotReady(seen, where=STORE)
        return True

    Deadline(FULL_SECONDS).wait_for(f"{STORE} to be full", full, every=0.3)


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


def remove(stack: Stack, arguments: FilledStore) -> None:
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


def sign(stack: Stack, arguments: FilledStore) -> Sign:
    """The store refuses an object of our own, since it is full."""
    seen = writes_in_words(stack, LOOK_SECONDS)
    return Sign(seen == FULL, f"{STORE}: {seen}")


FAULT = Fault("filled_store", "fill the object store by a dump of somebody's", inject, remove, sign, FilledStore)
