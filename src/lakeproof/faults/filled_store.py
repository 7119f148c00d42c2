"""The object store is full: somebody put a large dump into a bucket of their own, until the store took no more.

The dump comes by S3, as anybody's does. So that it fills the store and not the machine, the store's objects are moved
onto a small disk first, which takes the store away for some seconds (store_disk.py; root alone may do that).
"""

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, NotReady, TransientError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.object_store import FULL, writes
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.killing import await_replaced
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines import store_disk
from lakeproof.stack.engines.minio import moved_out_folder
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack

STORE = "minio"
DUMP = "dump"
LOOK_SECONDS, BACK_SECONDS, FULL_SECONDS, PUT_SECONDS = 2.0, 60.0, 180.0, 30.0
LARGEST, SMALLEST = 4 << 20, 1 << 10
# For so long nobody must have made room any more. A job deletes about as much as it writes, and would live on that
# for good; the dump takes what is deleted until no checkpoint succeeds, after which nothing is deleted.
QUIET_SECONDS = 10.0


class FilledStore(Arguments):
    """`room_mb`: how many MiB the small disk has left before the dump comes."""

    room_mb: int = Field(64, ge=16, le=4096)


def inject(stack: Stack, arguments: FilledStore) -> None:
    """Move the store to a small disk, unless it has one, and fill that. Raises: TerminalError, TransientError."""
    client = our_processes(stack, "move the objects of the store")
    if not store_disk.has_own_disk(stack):
        with _frozen(client):
            store_disk.move_to_own_disk(stack, arguments.room_mb << 20)
    _fill(stack)


@contextlib.contextmanager
def _frozen(client: SupervisorClient) -> Iterator[None]:
    """Nobody writes an object in the block; then the store dies, and comes back as after a crash.

    To stop and start it by command would keep the alerts quiet for two minutes. Raises: as SupervisorClient.kill;
    DeadlineExpired where it does not come back.
    """
    before = client.row(STORE)
    client.kill(STORE, "STOP")
    try:
        yield
    finally:
        client.kill(STORE)
    await_replaced(client, [before], Deadline(BACK_SECONDS))


def _fill(stack: Stack) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = s3_client(stack, timeout_seconds=PUT_SECONDS)
    since = time.monotonic()

    def full() -> bool:
        nonlocal since
        took = _put_until_refused(s3)
        seen = _writes(stack)
        if took or seen != FULL:
            since = time.monotonic()
        if time.monotonic() - since < QUIET_SECONDS:
            raise NotReady(f"{seen}, after {took} more objects of the dump", where=STORE)
        return True

    try:
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
            s3.create_bucket(Bucket=DUMP)
        Deadline(FULL_SECONDS).wait_for(f"{STORE} to be full, and nobody to make room", full, every=0.3)
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"the dump was not written: {error}", where=STORE, next_action="lakeproof ps") from error


def _put_until_refused(s3: Any) -> int:
    """Objects of half the size each time that one is refused, so that the last block is taken too. Gives how many."""
    from botocore.exceptions import ClientError

    size, taken = LARGEST, 0
    while size >= SMALLEST:
        try:
            s3.put_object(Bucket=DUMP, Key=f"{os.urandom(8).hex()}.part", Body=os.urandom(size))
            taken += 1
        except ClientError:
            size //= 2
    return taken


def remove(stack: Stack, arguments: FilledStore) -> None:
    """Bring everybody's objects but the dump's back to where they were; the store is away for some seconds again."""
    for archive in moved_out_folder(stack).glob(f"{DUMP}-*.tar"):
        archive.unlink()
    client = SupervisorClient(stack)
    if not store_disk.was_moved(stack):
        # `inject` may have been killed just after it had frozen the store.
        client.let_go_on(STORE)
        return
    runs = client.running() and client.row(STORE).pid is not None
    with _frozen(client) if runs else contextlib.nullcontext():
        store_disk.give_back(stack, leave=lambda bucket: bucket == DUMP)
    store_disk.remove_disk(stack)


def sign(stack: Stack, arguments: FilledStore) -> Sign:
    """It refuses an object of our own, since it is full."""
    seen = _writes(stack)
    return Sign(seen == FULL, f"{STORE}: {seen}")


def _writes(stack: Stack) -> str:
    with contextlib.suppress(CouldNotLook):
        return str(writes(stack, LOOK_SECONDS))
    return "no answer"


FAULT = Fault("filled_store", "fill the object store by a dump of somebody's", inject, remove, sign, FilledStore)
