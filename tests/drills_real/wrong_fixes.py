"""The wrong fixes that leave a stack of use: the check that turns each down, and the one that a commit chooses."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class WrongFix:
    """A wrong fix of a scenario's truth. `quick`: it restarts nothing, so `make test` has the time for it."""

    scenario: str
    fix: str
    rejected_by: str
    quick: bool = True

    @property
    def id(self) -> str:
        """As a test's name shows it."""
        return f"{self.scenario}-{self.fix}"


WRONG_FIXES = (
    WrongFix("replication-lag", "silence_alert", "connector_running"),
    WrongFix("replication-lag", "stop_ticker", "connector_running"),
    WrongFix("replication-lag", "empty_topic", "connector_running"),
    WrongFix("replication-lag", "restart_everything", "connector_running", quick=False),
    WrongFix("connector-failure", "restart_only", "connector_running"),
    WrongFix("connector-failure", "silence_alert", "connector_running"),
)
# It loses data for good: test_data_losing_fix.py runs it on a stack of its own.
DATA_LOSING = "recreate_connector_without_data"


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


def chosen_by(commit: str) -> WrongFix:
    """The quick one for that commit, always the same; the first one without a commit."""
    quick = [one for one in WRONG_FIXES if one.quick]
    return quick[int.from_bytes(hashlib.sha256(commit.encode()).digest()[:8]) % len(quick)] if commit else quick[0]
