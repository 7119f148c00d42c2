"""A file that one process at a time holds, by flock: the kernel frees it when the holder dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired


class HeldByAnother(Exception):
    """Somebody else has held a file for the whole wait."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@contextmanager
def hold(path: Path, me: str, seconds: float = 0.0) -> Iterator[None]:
    """Hold a file for the block, with `me` written into it.

    Raises: HeldByAnother, with what the holder wrote, where it is not free within the seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            Deadline(seconds).wait_for(str(path), lambda: try_hold(descriptor))
        except DeadlineExpired:
            raise HeldByAnother(os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "unknown") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, me.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def try_hold(descriptor: int) -> bool | None:
    """Lock an open file against every other process; None where one has it now (for Deadline.wait_for)."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True
