"""The object store came back read-only after its process had died: it answers, and refuses every write."""

import contextlib

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.object_store import READ_ONLY, WRITABLE, writes
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.minio import read_only_mark
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

STORE = "minio"
LOOK_SECONDS = 2.0
BACK_SECONDS = 30.0


def inject(stack: Stack, arguments: Arguments) -> None:
    """Have it start read-only from now on, and kill its process unless it is read-only already."""
    client = our_processes(stack, f"kill {STORE}")
    write_file(read_only_mark(stack), "")
    if _writes(stack) != READ_ONLY:
        client.kill(STORE)


def remove(stack: Stack, arguments: Arguments) -> None:
    """Have it start as usual from now on, and kill its process unless it takes writes. Returns once it takes them."""
    read_only_mark(stack).unlink(missing_ok=True)
    client = SupervisorClient(stack)
    if not client.running():
        return
    if _writes(stack) == READ_ONLY:
        client.kill(STORE)
    Deadline(BACK_SECONDS).wait_for(
        f"{STORE} to take writes", lambda: True if _writes(stack) == WRITABLE else None, every=0.5
    )


def sign(stack: Stack, arguments: Arguments) -> Sign:
    """It refuses an object of our own."""
    seen = _writes(stack)
    return Sign(seen == READ_ONLY, f"{STORE}: {seen}")


def _writes(stack: Stack) -> str:
    with contextlib.suppress(CouldNotLook):
        return str(writes(stack, LOOK_SECONDS))
    return "no answer"


FAULT = Fault("read_only_store", "have the object store refuse every write", inject, remove, sign)
