"""A fault: a change that breaks the stack, and the change that takes it back; both safe to repeat.

One file per fault in this folder, named adjective_object, with one `FAULT = Fault(...)` at its end. A fault asks the
endpoints of the stack; only to kill, stop or start a process does it ask the supervisor.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeproof import faults
from lakeproof.arguments import Arguments
from lakeproof.modules import collect
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Sign:
    """What was read of the part that a fault changes. holds: it shows the fault. seen: the reading in words."""

    holds: bool
    seen: str


@dataclass(frozen=True)
class Fault:
    """One way to break the stack.

    inject(stack, arguments), remove(stack, arguments): return once the change is made; raise LakeproofError.
    `remove` must work after a crash half-way through `inject`, and when the fault is not there at all.
    sign(stack, arguments): reads, from the broken part itself, whether the fault is in; raises LakeproofError. It is
    asked after each `inject`, since a drill of a fault that never landed would prove nothing.
    through_capture: the sign is read behind the capture, where a changed row arrives, or the fault itself needs a job
    that runs. Of several faults such a one goes in first, for another may stop the capture.
    lasts(arguments): after how many seconds it ends by itself; None: it stays in until it is taken out.
    """

    id: str
    summary: str
    inject: Callable[[Stack, Any], None]
    remove: Callable[[Stack, Any], None]
    sign: Callable[[Stack, Any], Sign]
    arguments: type[Arguments] = Arguments
    through_capture: bool = False
    lasts: Callable[[Any], float] | None = None


def all_faults(folders: tuple[Path, ...] = ()) -> dict[str, Fault]:
    """Every fault of this package and of the given scenario folders, by id."""
    return collect(faults, folders, "FAULT", Fault)
