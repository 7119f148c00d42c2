"""One drill at a time in a stack: a lock that ends with its process, however that ends."""

from collections.abc import Iterator
from contextlib import contextmanager

from lakeproof.errors import InvalidInput
from lakeproof.held_file import HeldByAnother, hold
from lakeproof.observability.drill_windows import borrower, lock_file, words_of_this_process
from lakeproof.stack.stack import Stack

# The desk holds the lock for a moment while it gives back the windows of a drill that was killed.
PATIENCE_SECONDS = 2.0


@contextmanager
def one_drill(stack: Stack) -> Iterator[None]:
    """Hold the stack's lock for drills. Raises: InvalidInput naming the process that holds it."""
    killed = borrower(stack)
    try:
        # The timing that a killed drill left in force stays noted until this one gives it back.
        with hold(lock_file(stack), words_of_this_process(killed.timing if killed else ""), PATIENCE_SECONDS):
            yield
    except HeldByAnother as held:
        raise InvalidInput(
            f"a drill is running already (process {held.holder.split()[0]})",
            where=f"stack {stack.name}",
            next_action="wait for its end, or stop it with Ctrl-C",
        ) from held
