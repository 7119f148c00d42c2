"""One change of the ring's members at a time in a stack: two at once would stop, delete and unmark the same node."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lakeproof.errors import TransientError
from lakeproof.held_file import HeldByAnother, hold
from lakeproof.stack.stack import Stack


@contextmanager
def changing_the_ring(stack: Stack, what: str) -> Iterator[None]:
    """Hold the stack's turn for the block; the kernel frees it when the holder dies. A second caller fails at once:
    it may want what the first one is doing.

    what: the change, in the words of the command. Raises: TransientError, which names who has the turn.
    """
    me = f"process {os.getpid()} (ring {what}, since {time.strftime('%H:%M:%S')})"
    with ExitStack() as turn:
        try:
            turn.enter_context(hold(stack.state_dir / "ring.lock", me))
        except HeldByAnother as held:
            raise TransientError(
                f"{held.holder} is changing it",
                where="ring",
                next_action="wait for its end, then look: lakeproof ring",
            ) from held
        yield
