"""Where set-up keeps what it fetched: one folder per user, shared by all clones."""

import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from lakeproof.held_file import hold

WAIT_SECONDS = 3600.0


def cache_dir() -> Path:
    """`LAKEPROOF_CACHE`, else `$XDG_CACHE_HOME/lakeproof`, else `~/.cache/lakeproof`."""
    own = os.environ.get("LAKEPROOF_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "lakeproof"


def artifacts_dir() -> Path:
    """Complete artifacts, `NAME/VERSION-DIGEST/`."""
    return cache_dir() / "artifacts"


def hold_artifact(
    name: str, *, waiting: Callable[[str], None], stop: threading.Event | None = None
) -> AbstractContextManager[None]:
    """Be the one process that builds this artifact, over all clones of a user; wait an hour at most.

    `waiting` is called once, with the process that builds it now. Raises: HeldByAnother, TerminalError after `stop`.
    """
    path = cache_dir() / "locks" / f"{name}.lock"
    return hold(path, f"process {os.getpid()}", WAIT_SECONDS, waiting=waiting, stop=stop)


def maven_dir(name: str) -> Path:
    """Maven's local repository for one artifact: its own, so that two builds never write into one."""
    return cache_dir() / "maven" / name


def downloads_dir() -> Path:
    """Archives from PyPI, by file name, kept so that a rebuild needs no network."""
    return cache_dir() / "downloads"


def go_dir() -> Path:
    """Go's module and build caches."""
    return cache_dir() / "go"


def tools_dir() -> Path:
    """uv and pip in a virtual environment of their own (scripts/bootstrap.sh makes it)."""
    return cache_dir() / "tools"


def logs_dir() -> Path:
    """The output of the programs that set-up calls, one file per artifact."""
    return cache_dir() / "logs"
