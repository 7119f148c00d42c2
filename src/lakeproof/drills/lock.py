"""One drill at a time in a stack: a lock that ends with its process, however that ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lakeproof.errors import InvalidInput
from lakeproof.held_file import HeldByAnother, hold
from lakeproof.stack.stack import Stack


@contextmanager
def one_drill(stack: Stack) -> Iterator[None]:
    """Hold the stack's lock for drills. Raises: InvalidInput naming the process that holds it."""
    try:
        with hold(stack.state_dir / "drill.lock", str(os.getpid())):
            yield
    except HeldByAnother as held:
        raise InvalidInput(
            f"a drill is running already (process {held.holder})",
            where=f"stack {stack.name}",
            next_action="wait for its end, or stop it with Ctrl-C",
        ) from held
