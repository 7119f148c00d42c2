"""Where set-up keeps what it fetched: one folder per user, shared by all clones."""

import os
from pathlib import Path


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
    """What the programs that set-up called said, one file per artifact."""
    return cache_dir() / "logs"
