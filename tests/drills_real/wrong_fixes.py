"""The wrong fixes of all scenarios that leave a stack of use, from their truths; a commit chooses one."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.commit import number_of

from lakeproof.drills.wrong_series import wrong_fixes
from lakeproof.scenarios.catalog import load_catalog

# Steps that restart processes take longer than `make test-drills` has time for.
SLOW_STEPS = frozenset({"restart_component", "restart_everything"})
# Scenarios of which every wrong fix was turned down three times in a row; `make test-drills` draws from these alone.
OFTEN_GREEN = frozenset({"replication-lag", "connector-failure"})


@dataclass(frozen=True)
class WrongFix:
    """A wrong fix of a scenario's truth, and the checks of which one must turn it down.

    quick: it restarts no process and was turned down often enough, so `make test-drills` may draw it.
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
    # One that loses data is not among them: test_data_losing_fix.py runs each on a stack of its own.
    for scenario, fix in wrong_fixes(catalog):
        steps = {step.id for step in fix.steps}
        quick = scenario.name in OFTEN_GREEN and not steps & SLOW_STEPS
        yield WrongFix(scenario.name, fix.id, fix.rejected_by, quick)


WRONG_FIXES = tuple(_wrong_fixes())


def chosen_by(commit: str) -> WrongFix:
    """The quick one for that commit, always the same; the first one without a commit."""
    quick = [one for one in WRONG_FIXES if one.quick]
    return quick[number_of(commit) % len(quick)]
