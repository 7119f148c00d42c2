"""A check: one claim about data or service, looked at before the fault (`baseline`) and after the repair (`verify`).

A check that several scenarios share is a class in this folder, one that a single scenario uses a class in checks.py
of the scenario's folder; its name is the claim. A check only looks; those that act say so.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from lakeproof import checks
from lakeproof.checks.verdict import Verdict
from lakeproof.deadline import Deadline
from lakeproof.modules import NOT_KNOWN_TO_A_REPAIR, collect
from lakeproof.plugin import Plugin, plugins_in
from lakeproof.probes.reading import Value
from lakeproof.proof.report import CheckReport
from lakeproof.stack.stack import Stack


def say_nothing(text: str) -> None:
    """For callers that want no progress."""


@dataclass(frozen=True)
class CheckContext:
    """What a check may know.

    components: the components that the scenario's fault and repair may touch; all others must stay as they were.
    alerts: the scenario's alerts. evidence: ids of the scenario's probes.
    quiet_seconds: a claim about a service is believed only after it has held for this long.
    deadline: when the check must have ended. progress: is called with one line for people.
    reports: the reports of `lakeproof check` in this phase, by the engines that were read (data_report.py fills it).
    shopping: shoppers buy within the block `with shopping():`; outside of a drill nobody buys.
    fault_made: True where a fault was made since the baseline; only then may `verify` demand traces of its repair.
    """

    stack: Stack
    deadline: Deadline
    components: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    quiet_seconds: float = 0.0
    scenario_dirs: tuple[Path, ...] = ()
    progress: Callable[[str], None] = say_nothing
    reports: dict[frozenset[str], CheckReport] = field(default_factory=dict)
    shopping: Callable[[], AbstractContextManager[None]] = nullcontext
    fault_made: bool = True


@dataclass(frozen=True)
class Baseline:
    """The claim before the fault: its verdict, and the values that `verify` compares with."""

    verdict: Verdict
    values: Mapping[str, Value] = field(default_factory=dict)


class Check(Plugin, abstract=True):
    """One claim, which the class's docstring says in one sentence.

    "Could not look" is Outcome.UNKNOWN; the caller turns every LakeproofError into that outcome too.
    watched: the check takes less than 3 s, and is asked each second while a drill waits for recovery.
    judges_rows: the check compares rows. It comes last, so that rows damaged while a check acted are judged as well.
    acts: the check changes something. It comes after the checks that only look and before rows are judged, and only
    where every claim before it held.
    Counts go into Verdict.numbers under these names, from which the drill's report is made: acknowledged, lost,
    duplicated, stale, phantom, oversold, violations, unclear, refused, and `rows.ENGINE` for rows compared per
    engine. The Nessie hash looked at goes into a Reading with probe "nessie-hash", its checkpoint into one with probe
    "checkpoint".
    """

    watched: ClassVar[bool] = False
    judges_rows: ClassVar[bool] = False
    acts: ClassVar[bool] = False

    def baseline(self, context: CheckContext) -> Baseline:
        """Look at the healthy stack. No drill starts unless the verdict is passed."""
        raise NotImplementedError

    def verify(self, context: CheckContext, baseline: Baseline) -> Verdict:
        """Judge the claim after the repair."""
        raise NotImplementedError

    def stops(self) -> Sequence[str]:
        """The components that `verify` stops and starts again."""
        return ()


def all_checks(folders: tuple[Path, ...] = ()) -> dict[str, type[Check]]:
    """Every check of this package and of the given scenario folders, by id."""
    return collect(checks, folders, "checks", plugins_in(Check), NOT_KNOWN_TO_A_REPAIR)
