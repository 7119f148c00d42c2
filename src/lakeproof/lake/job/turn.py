"""One submission of a job at a time in a stack: of two that both see no job, the second would be a second writer."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, TransientError
from lakeproof.processes.environment import COMPONENT
from lakeproof.processes.lock import try_hold
from lakeproof.stack.stack import Stack

# Shorter than a provision may take, so that it can say whom it waited for; it is tried again then.
TURN_SECONDS = 45.0


class SubmissionHeld(TransientError):
    """Somebody else has been submitting for the whole wait."""


@contextmanager
def submitting(stack: Stack) -> Iterator[None]:
    """Hold the stack's turn for the block; the kernel frees it when the holder dies. Raises: SubmissionHeld."""
    stack.state_dir.mkdir(parents=True, exist_ok=True)
    path = stack.state_dir / "submission.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            Deadline(TURN_SECONDS).wait_for("the turn", lambda: try_hold(descriptor))
        except DeadlineExpired as error:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "an unknown process"
            raise SubmissionHeld(
                f"{holder} has been submitting a job for longer than {TURN_SECONDS:.0f} s",
                where=f"stack {stack.name}",
                next_action="try again once it has ended; where it hangs, kill that process",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, _me().encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _me() -> str:
    of = os.environ.get(COMPONENT)
    return f"process {os.getpid()} ({f'provision of {of}' if of else 'by hand'}, since {time.strftime('%H:%M:%S')})"
