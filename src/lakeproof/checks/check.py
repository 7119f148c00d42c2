"""A check: one claim about data or service, looked at before the fault (`baseline`) and after the repair (`verify`).

One file per claim in this folder, named as the claim, with one `CHECK = Check(...)` at its end. A check only looks;
`probe_sent`, `survives_restart` and `stays_well` alone act, and say so.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeproof import checks
from lakeproof.arguments import Arguments
from lakeproof.checks.verdict import Verdict
from lakeproof.deadline import Deadline
from lakeproof.modules import NOT_KNOWN_TO_A_REPAIR, collect
from lakeproof.probes.reading import Value
from lakeproof.proof.report import CheckReport
from lakeproof.stack.stack import Stack


def say_nothing(text: str) -> None:
    """For callers that want no progress."""


@dataclass(frozen=True)
class CheckContext:
    """What a check may know.

    components: those that the scenario's fault and repair may touch; all others must stay as they were.
    alerts: the scenario's alerts. evidence: ids of its probes.
    quiet_seconds: how long a service claim must have held when it is believed.
    deadline: when looking must end. progress: one line for people.
    reports: what `lakeproof check` has found in this phase, by the engines that it read (data_report.py fills it).
    shopping: `with shopping():` shoppers buy within the block; outside of a drill nobody does.
    fault_made: a fault was made since the baseline, so that `verify` may ask for what its repair leaves behind.
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


@dataclass(frozen=True)
class Check:
    """One claim.

    id: the module's name. claim: one sentence. arguments: the class of what a scenario may set.
    baseline(context, arguments): taken on the healthy stack; its verdict must be passed, or no drill starts.
    verify(context, arguments, baseline): after the repair. "Could not look" is Outcome.UNKNOWN;
    who asks takes every LakeproofError for it.
    watched: quick (< 3 s) and worth asking each second while waiting for recovery.
    judges_rows: compares rows; done last, so that what became of them while a check acted is judged as well.
    acts: changes something; done after the others, before rows are judged, and only where every claim before held.
    stops(arguments): the components that `verify` stops, and starts again.
    Counts go into Verdict.numbers under these names, from which the drill's report is made: acknowledged, lost,
    duplicated, stale, phantom, oversold, violations, unclear, refused, and `rows.ENGINE` for rows compared per
    engine. The Nessie hash looked at goes into a Reading with probe "nessie-hash", its checkpoint into one with probe
    "checkpoint".
    """

    id: str
    claim: str
    baseline: Callable[[CheckContext, Any], Baseline]
    verify: Callable[[CheckContext, Any, Baseline], Verdict]
    arguments: type[Arguments] = Arguments
    watched: bool = False
    judges_rows: bool = False
    acts: bool = False
    stops: Callable[[Any], Sequence[str]] = lambda arguments: ()


def all_checks(folders: tuple[Path, ...] = ()) -> dict[str, Check]:
    """Every check of this package and of the given scenario folders, by id."""
    return collect(checks, folders, "CHECK", Check, NOT_KNOWN_TO_A_REPAIR)
