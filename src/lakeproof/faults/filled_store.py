"""The object store is full: somebody writes a large dump into a bucket of their own, until the store takes no more.

The dump comes by S3, as anybody's does, from a process of its own (dump.py), since it must outlive the command
that makes the fault. So that it fills the store and not the machine, the store's objects are moved onto a small disk
first, for which the store stands still for some seconds and dies (store_disk.py; root alone may do that).
"""

import contextlib
import time
from collections.abc import Callable, Iterator

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, NotReady, TerminalError
from lakeproof.faults.dump import BUCKET
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.object_store import FULL, other_buckets, writes
from lakeproof.processes import detached
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import await_replaced
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines import store_disk
from lakeproof.stack.engines.minio import moved_out_folder
from lakeproof.stack.stack import Stack

STORE = "minio"
PROCESS = "filled_store"
LOOK_SECONDS, BACK_SECONDS, FULL_SECONDS = 2.0, 60.0, 180.0
# For so long it must have said so, whatever others write and delete meanwhile.
STEADY_SECONDS = 5.0


class FilledStore(Arguments):
    """`room_mb`: how many MiB the small disk has left before the dump comes."""

    room_mb: int = Field(64, ge=16, le=4096)


def inject(stack: Stack, arguments: FilledStore) -> None:
    """Move the store to a small disk, unless it has one, and have it filled.

    Raises: TerminalError; DeadlineExpired where it is not full in time.
    """
    client = our_processes(stack, "move the objects of the store")
    with store_disk.alone(stack):
        if not store_disk.has_own_disk(stack):
            if BUCKET in other_buckets(stack, LOOK_SECONDS, LOOK_SECONDS)[0]:
                raise TerminalError(
                    f"there is a bucket {BUCKET}", where=STORE, next_action="it would be lost: rename it"
                )
            store_disk.make_disk(stack, arguments.room_mb << 20)
            with _frozen(client) as require_frozen:
                store_disk.move_to_disk(stack, require_frozen)
    detached.start(stack, PROCESS, "lakeproof.faults.dump")
    since = time.monotonic()

    def full() -> bool:
        nonlocal since
        seen = _writes(stack)
        if seen != FULL:
            since = time.monotonic()
        if time.monotonic() - since < STEADY_SECONDS:
            raise NotReady(seen, where=STORE)
        return True

    Deadline(FULL_SECONDS).wait_for(f"{STORE} to be full", full, every=0.3)


@contextlib.contextmanager
def _frozen(client: SupervisorClient) -> Iterator[Callable[[], None]]:
    """Nobody writes an object in the block; then the store dies, and comes back as after a crash.

    The block gets a function that raises TerminalError where somebody has started the store anew meanwhile.

    To stop and start it by command would keep the alerts quiet for two minutes. Raises: as SupervisorClient.kill;
    DeadlineExpired where it does not come back.
    """
    before = client.row(STORE)
    client.kill(STORE, "STOP")

    def require_frozen() -> None:
        now = client.row(STORE)
        if now.pid != before.pid:
            raise TerminalError("somebody has started it meanwhile", where=STORE, next_action="do this again")

    try:
        yield require_frozen
    finally:
        client.kill(STORE)
    await_replaced(client, [before], Deadline(BACK_SECONDS))


def remove(stack: Stack, arguments: FilledStore) -> None:
    """Bring everybody's objects but the dump's back to where they were; the store stands still and dies once more."""
    detached.end(stack, PROCESS)
    client = SupervisorClient(stack)
    if not store_disk.was_moved(stack):
        # `inject` may have been killed just after it had frozen the store.
        client.let_go_on(STORE)
        return
    with store_disk.alone(stack):
        runs = client.running() and client.row(STORE).pid is not None
        with _frozen(client) if runs else contextlib.nullcontext(lambda: None) as require_frozen:
            store_disk.give_back(stack, lambda bucket: bucket == BUCKET, require_frozen)
        store_disk.remove_disk(stack)
    for archive in moved_out_folder(stack).glob(f"{BUCKET}-*.tar"):
        archive.unlink()


def sign(stack: Stack, arguments: FilledStore) -> Sign:
    """It refuses an object of our own, since it is full."""
    seen = _writes(stack)
    return Sign(seen == FULL, f"{STORE}: {seen}")


def _writes(stack: Stack) -> str:
    with contextlib.suppress(CouldNotLook):
        return str(writes(stack, LOOK_SECONDS))
    return "no answer"


FAULT = Fault("filled_store", "fill the object store by a dump of somebody's", inject, remove, sign, FilledStore)
