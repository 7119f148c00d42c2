"""Have the object store take labels again where a folder of theirs was closed on the store's own disk."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.labels import pending_writes, ready_writes
from lakeproof.probes.object_store import WRITABLE
from lakeproof.processes.ours import our_processes
from lakeproof.shop.fulfillment.label import PENDING, READY
from lakeproof.stack.engines.store_folder import commands, folder_of, is_closed, open_again
from lakeproof.stack.object_store import LABEL_BUCKET
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 3.0


def typed(stack: Stack, arguments: Arguments) -> str:
    """The commands, for the machine that has the store's disk."""
    return "; ".join(commands(folder_of(stack, LABEL_BUCKET, prefix))[1] for prefix in (PENDING, READY))


def run(stack: Stack, arguments: Arguments) -> str:
    """Open both folders; safe where they are open. The worker then moves the waiting labels by itself.

    Raises: InvalidInput for somebody else's store; TerminalError where the store still refuses; CouldNotLook.
    """
    our_processes(stack, "open a folder of the object store")
    opened = []
    for prefix, writes in ((PENDING, pending_writes), (READY, ready_writes)):
        folder = folder_of(stack, LABEL_BUCKET, prefix)
        if is_closed(folder):
            opened.append(prefix)
        open_again(folder)
        answer = writes(stack, LOOK_SECONDS)
        if answer != WRITABLE:
            raise TerminalError(
                f"the store still refuses an object there: {answer}",
                where=str(folder),
                next_action="look at its disk",
            )
    taking = f"under {' and '.join(opened)} it takes labels again" if opened else "the store takes labels already"
    return f"{taking}; the worker tries each within half a minute"


MITIGATION = Mitigation("open_label_folder", "have the object store take labels again", typed, run)
