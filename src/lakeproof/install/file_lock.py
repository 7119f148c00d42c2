"""One builder at a time per artifact, over all clones of a user."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.held_file import try_hold

WAIT_SECONDS = 3600.0


@contextmanager
def held(path: Path, *, waiting: Callable[[str], None], stop: threading.Event) -> Iterator[None]:
    """Hold the lock file for the block; the kernel frees it when the holder dies.

    `waiting` is called once, with the holder's process id, when somebody else has it.
    Raises: DeadlineExpired after an hour; TerminalError when stopped meanwhile.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        if not try_hold(file.fileno()):
            file.seek(0)
            waiting(file.read().strip() or "another set-up")

            def look() -> bool | None:
                if stop.is_set():
                    raise TerminalError("interrupted", where=str(path))
                return try_hold(file.fileno())

            Deadline(WAIT_SECONDS).wait_for(f"the lock {path}", look)
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}\n")
        file.flush()
        yield
