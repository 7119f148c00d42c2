"""Have the object store take labels under ready/ again, whose folder was closed on the store's own disk."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.labels import ready_writes
from lakeproof.probes.object_store import WRITABLE
from lakeproof.processes.ours import our_processes
from lakeproof.shop.fulfillment.label import READY
from lakeproof.stack.engines.store_folder import commands, folder_of, is_closed, open_again
from lakeproof.stack.object_store import LABEL_BUCKET
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 3.0


def typed(stack: Stack, arguments: Arguments) -> str:
    """Where the store's disk is."""
    return commands(folder_of(stack, LABEL_BUCKET, READY))[1]


def run(stack: Stack, arguments: Arguments) -> str:
    """Open the folder; fine where it is open. What waits the worker moves by itself.

    Raises: InvalidInput for somebody else's store; TerminalError where it refuses all the same; CouldNotLook.
    """
    our_processes(stack, "open a folder of the object store")
    folder = folder_of(stack, LABEL_BUCKET, READY)
    was_closed = is_closed(folder)
    open_again(folder)
    answer = ready_writes(stack, LOOK_SECONDS)
    if answer != WRITABLE:
        raise TerminalError(
            f"the store still refuses an object there: {answer}", where=str(folder), next_action="look at its disk"
        )
    return f"{READY} takes labels{' again' if was_closed else ' already'}; the worker tries each within half a minute"


MITIGATION = Mitigation("open_label_folder", "have the object store take labels under ready/ again", typed, run)
