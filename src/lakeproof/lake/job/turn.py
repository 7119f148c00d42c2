"""One submission of a job at a time in a stack: of two that both see no job, the second would be a second writer."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lakeproof.errors import TransientError
from lakeproof.held_file import HeldByAnother, hold
from lakeproof.processes.environment import COMPONENT
from lakeproof.stack.stack import Stack

# Shorter than a provision may take, so that the provision can say whom it waited for. It is tried again then.
TURN_SECONDS = 45.0


class SubmissionHeld(TransientError):
    """Somebody else has been submitting for the whole wait."""


@contextmanager
def submitting(stack: Stack) -> Iterator[None]:
    """Hold the stack's turn for the block; the kernel frees it when the holder dies. Raises: SubmissionHeld."""
    try:
        with hold(stack.state_dir / "submission.lock", _me(), TURN_SECONDS):
            yield
    except HeldByAnother as held:
        raise SubmissionHeld(
            f"{held.holder} has been submitting a job for longer than {TURN_SECONDS:.0f} s",
            where=f"stack {stack.name}",
            next_action="try again once it has ended; where it hangs, kill that process",
        ) from held


def _me() -> str:
    of = os.environ.get(COMPONENT)
    return f"process {os.getpid()} ({f'provision of {of}' if of else 'by hand'}, since {time.strftime('%H:%M:%S')})"
