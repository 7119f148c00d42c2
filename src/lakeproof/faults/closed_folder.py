"""The object store refuses labels under ready/: the folder on its disk takes no new files, and all else goes well."""

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.labels import ready_writes
from lakeproof.probes.object_store import WRITABLE
from lakeproof.processes.ours import our_processes
from lakeproof.shop.fulfillment.label import READY
from lakeproof.stack.engines.store_folder import close, folder_of, open_again
from lakeproof.stack.object_store import LABEL_BUCKET
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 3.0


def inject(stack: Stack, arguments: Arguments) -> None:
    """Close it. Raises: InvalidInput for somebody else's store, TerminalError where no label was ever ready."""
    our_processes(stack, "close a folder of the object store")
    close(folder_of(stack, LABEL_BUCKET, READY))


def remove(stack: Stack, arguments: Arguments) -> None:
    """Open the folder; safe where it is open."""
    open_again(folder_of(stack, LABEL_BUCKET, READY))


def sign(stack: Stack, arguments: Arguments) -> Sign:
    """The store refuses an object under ready/."""
    answer = ready_writes(stack, LOOK_SECONDS)
    return Sign(answer != WRITABLE, f"a PUT under {READY}: {answer}")


FAULT = Fault("closed_folder", "have the object store refuse labels under ready/", inject, remove, sign)
