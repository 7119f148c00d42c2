"""The commit of this clone as a number, by which `make test` chooses what it drills."""

import hashlib
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def commit(root: Path = ROOT) -> str:
    """The commit of the clone in `root`; "" where there is no git, or no clone."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "--verify", "HEAD"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def number_of(commit: str) -> int:
    """A number that is the same for the same commit; 0 without one."""
    return int.from_bytes(hashlib.sha256(commit.encode()).digest()[:8]) if commit else 0
