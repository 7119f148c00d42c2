"""A wrong step: it looks like a repair and mends nothing, or loses data.

One file per step in this folder, with one `WRONG_STEP = WrongStep(...)` at its end; the folder is the list. The wrong
fixes in a scenario's truth.yaml are made of these steps, and the scenario's checks must turn each of them down. Only
`lakeproof drill --fix` runs them: code that proposes or runs repairs on a live stack (`lakeproof mitigate`, a
diagnosis, the desk) may not import this folder directly, which import-linter checks.

A step that is the right repair of one cause and a wrong fix of another (restart_connector) is a mitigation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lakeproof import wrong_fixes
from lakeproof.faults.fault import Fault, Sign
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.modules import collect
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class WrongStep(Mitigation):
    """A step with the shape of a mitigation. A drill runs it in the place of the repair.

    undo: takes back what the step leaves behind (a silence), at the end of the drill; None where nothing stays.
    stops(stack): the components that a run of the step would stop now, and start again.
    """

    undo: Callable[[Stack, Any], None] | None = None
    stops: Callable[[Stack], Sequence[str]] = lambda stack: ()


def left_by(steps: Mapping[str, WrongStep]) -> dict[str, Fault]:
    """A Fault for each wrong step with an `undo`, by step id: what the step leaves is put on record and taken out."""
    return {
        name: Fault(step.id, step.summary, partial(_make, step), step.undo, _not_looked_at, step.arguments)
        for name, step in steps.items()
        if step.undo is not None
    }


def _make(step: WrongStep, stack: Stack, arguments: Any) -> None:
    step.run(stack, arguments)


def _not_looked_at(stack: Stack, arguments: Any) -> Sign:
    return Sign(holds=False, seen="nobody looks whether a wrong step landed")


def all_wrong_steps(folders: tuple[Path, ...] = ()) -> dict[str, WrongStep]:
    """Every wrong step of this package and of the given scenario folders, by id."""
    return collect(wrong_fixes, folders, "WRONG_STEP", WrongStep)
