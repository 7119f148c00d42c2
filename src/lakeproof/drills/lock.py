"""One drill at a time in a stack: a lock that ends with its process, however that ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lakeproof.errors import InvalidInput
from lakeproof.stack.stack import Stack


@contextmanager
def one_drill(stack: Stack) -> Iterator[None]:
    """Hold the stack's lock for drills. Raises: InvalidInput naming the process that holds it."""
    path = stack.state_dir / "drill.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise InvalidInput(
                f"a drill is running already (process {holder})",
                where=f"stack {stack.name}",
                next_action="wait for its end, or stop it with Ctrl-C",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
