"""Locks between processes: a file that one process at a time holds, by flock.

The kernel frees the file when its holder dies, however it dies. The holder's name stands in the file.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, TerminalError, TransientError


class HeldByAnother(TransientError):
    """Another process has held the file for the whole wait. `holder`: what that process wrote into the file."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"held by {holder}", where=str(path), next_action="wait for its end, then try again")
        self.holder = holder


@contextmanager
def hold(
    path: Path,
    me: str,
    seconds: float = 0.0,
    *,
    waiting: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
    every: float = 0.25,
) -> Iterator[None]:
    """Hold a file for the block, with `me` written into it; wait at most `seconds` for another process to free it.

    `waiting` is called once, with what the holder wrote, if there is a wait. `stop` ends the wait.
    Raises: HeldByAnother; TerminalError where `stop` was set.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    told = False

    def look() -> int | None:
        nonlocal told
        if (taken := _take(path)) is not None:
            return taken
        if stop is not None and stop.is_set():
            raise TerminalError("interrupted", where=str(path))
        if waiting is not None and not told:
            waiting(_holder(path))
            told = True
        return None

    try:
        descriptor = Deadline(seconds).wait_for(str(path), look, every=every)
    except DeadlineExpired:
        raise HeldByAnother(path, _holder(path)) from None
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, me.encode(), 0)
        yield
    finally:
        os.close(descriptor)


def try_hold(descriptor: int) -> bool | None:
    """Hold an open file until it is closed. None ("not yet" to Deadline.wait_for): another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True


def holder_of(path: Path) -> str | None:
    """What the file's holder wrote into it; None while nobody holds it. Never writes to the file.

    The look itself holds a shared lock for a moment, in which a `hold` that does not wait fails.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(path)
    else:
        return None
    finally:
        os.close(descriptor)


def _take(path: Path) -> int | None:
    """The file, open and held; None where another process holds it."""
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            # A daemon that ended just now removed the folder with the file.
            for folder in (path.parent.parent, path.parent):
                folder.mkdir(mode=0o700, exist_ok=True)
            continue
        if not try_hold(descriptor):
            os.close(descriptor)
            return None
        # A holder that ended between our open and our flock may have removed the file that we hold now.
        if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
        os.close(descriptor)


def _holder(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[:200].strip() or "unknown"
    except OSError:
        return "unknown"
