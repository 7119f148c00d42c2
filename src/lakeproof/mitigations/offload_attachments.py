"""Move attachments from support's folder into the object store, as `make support-offload` does."""

import asyncio

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.shop.support.offload import offload
from lakeproof.stack.stack import Stack

SHOWN = 3


class OffloadAttachments(Arguments):
    """`age_days`: attachments of this age or older are moved; 0: all."""

    age_days: float = Field(0.0, ge=0, le=36_500)


def typed(stack: Stack, arguments: OffloadAttachments) -> str:
    """The same by hand; first with --dry-run."""
    return f'make support-offload ARGS="--age-days {arguments.age_days:g}"'


def run(stack: Stack, arguments: OffloadAttachments) -> str:
    """Each is read back from the store, and compared, before its local file is deleted. Customers read it as before.

    Raises: InvalidInput where the folder is somebody else's; TransientError without the database; TerminalError where
    some attachments were not moved.
    """
    done = asyncio.run(offload(stack, arguments.age_days, dry_run=False, progress=lambda _: None))
    if done.failed:
        why = "; ".join(f"attachment {one['attachment']}: {one['why']}" for one in done.failed[:SHOWN])
        raise TerminalError(f"{len(done.failed)} of {done.candidates} attachments stayed: {why}", where="minio")
    others = f"; {done.moved_by_another} more were moved by another run meanwhile" if done.moved_by_another else ""
    moved = f"{done.moved} attachments ({done.moved_bytes / 1e6:.0f} MB)"
    return f"{moved} are in the object store, each byte for byte{others}"


MITIGATION = Mitigation(
    "offload_attachments", "move attachments into the object store", typed, run, OffloadAttachments
)
