"""The wrong fixes of all scenarios that leave a stack of use, from their truths; a commit chooses one of them."""

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakeproof.scenarios.catalog import load_catalog

ROOT = Path(__file__).parents[2]


# These lose data for good, and a later drill on the same stack would find that loss.
# So test_data_losing_fix.py runs each on a stack of its own.
DATA_LOSING = frozenset({"recreate_connector_without_data", "delete_what_failed"})
# Steps that restart processes take longer than `make test` has time for.
SLOW_STEPS = frozenset({"restart_component", "restart_everything"})
# Scenarios of which every wrong fix was turned down three times in a row; `make test` draws from these alone.
OFTEN_GREEN = frozenset({"replication-lag", "connector-failure"})


@dataclass(frozen=True)
class WrongFix:
    """A wrong fix of a scenario's truth, and the checks of which one must turn it down.

    quick: it restarts no process and was turned down often enough, so `make test` may draw it.
    """

    scenario: str
    fix: str
    rejected_by: tuple[str, ...]
    quick: bool

    @property
    def id(self) -> str:
        """As a test's name shows it."""
        return f"{self.scenario}-{self.fix}"


def _wrong_fixes() -> Iterator[WrongFix]:
    catalog = load_catalog()
    for scenario in catalog.scenarios.values():
        for fix in catalog.truth(scenario).wrong_fixes:
            if fix.id not in DATA_LOSING:
                steps = {step.id for step in fix.steps}
                quick = scenario.id in OFTEN_GREEN and not steps & SLOW_STEPS
                yield WrongFix(scenario.id, fix.id, fix.rejected_by, quick)


WRONG_FIXES = tuple(_wrong_fixes())


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
