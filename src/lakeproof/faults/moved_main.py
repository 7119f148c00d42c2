"""Somebody points `main` by force at what it showed some publishes ago: the hashes since then are in no history."""

from contextlib import closing, suppress

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.nessie import NessieConflict, client_of
from lakeproof.lake.publish.commit import is_ours
from lakeproof.lake.publish.history import MAIN
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.probes.nessie import LOST, last_merge_kept
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 5.0
SECONDS = 30.0
LOOKED_BACK = 100


class MovedMain(Arguments):
    """`publishes`: how many publishes `main` is moved back."""

    publishes: int = Field(5, ge=1, le=LOOKED_BACK - 1)


def inject(stack: Stack, arguments: MovedMain) -> None:
    """Move `main` once; safe where it was moved. Raises: TerminalError where too little was published."""
    if last_merge_kept(stack, LOOK_SECONDS) == LOST:
        return
    deadline, moved = Deadline(SECONDS), False
    with closing(client_of(stack)) as nessie:
        while not moved:
            main = nessie.reference(MAIN)
            newest = nessie.history(MAIN, LOOKED_BACK, at_hash=main.hash)
            ours = [commit.hash for commit in newest if is_ours(commit)]
            if len(ours) <= arguments.publishes:
                raise TerminalError(f"only {len(ours)} states are published", where=MAIN, next_action="try it later")
            with suppress(NessieConflict):  # the publisher has moved it meanwhile
                nessie.assign(main, ours[arguments.publishes])
                moved = True
            if not moved and deadline.expired:
                raise TerminalError("the publisher was faster each time", where=MAIN, next_action="try it again")


def remove(stack: Stack, arguments: MovedMain) -> None:
    """Have `main` begin again at the last published state."""
    roll_back(stack)


def sign(stack: Stack, arguments: MovedMain) -> Sign:
    """What the publisher merged last is not in main's history."""
    seen = last_merge_kept(stack, LOOK_SECONDS)
    return Sign(seen == LOST, f"what the publisher merged last: {seen}")


FAULT = Fault("moved_main", "point main at what it showed some publishes ago", inject, remove, sign, MovedMain)
