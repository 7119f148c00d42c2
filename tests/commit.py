"""The commit of this clone, by which `make test-turns` chooses what it drills and which services it tests."""

import hashlib
import subprocess
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parents[1]


def commit(root: Path = ROOT) -> str:
    """The commit of the clone in `root`; "" where there is no git, or no clone."""
    return _git(root, "rev-parse", "--verify", "HEAD")


def commits_so_far(root: Path = ROOT) -> int:
    """How many commits led to that of the clone, so that the next one has one more.

    A shallow clone does not know: then a number of its commit, and without git the day's, so that it is not always
    the same.
    """
    whole = _git(root, "rev-parse", "--is-shallow-repository") == "false"
    count = _git(root, "rev-list", "--count", "--first-parent", "HEAD") if whole else ""
    return int(count or number_of(commit(root)) or date.today().toordinal())


def number_of(commit: str) -> int:
    """A number that is the same for the same commit; 0 without one."""
    return int.from_bytes(hashlib.sha256(commit.encode()).digest()[:8]) if commit else 0


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
