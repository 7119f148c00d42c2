"""A fault: a change that breaks the stack, and the change that takes it back; both safe to repeat.

A fault that several scenarios share is a class in this folder, one that a single scenario uses a class in faults.py
of the scenario's folder; its name is adjective and object. A fault asks the endpoints of the stack; only to kill,
stop or start a process does it ask the supervisor.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lakeproof import faults
from lakeproof.modules import collect
from lakeproof.plugin import Plugin, plugins_in
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Sign:
    """What was read of the part that a fault changes. holds: it shows the fault. seen: the reading in words."""

    holds: bool
    seen: str


class Fault(Plugin, abstract=True):
    """One way to break the stack. Its methods raise LakeproofError.

    through_capture: the sign is read behind the capture, where a changed row arrives, or the fault itself needs a job
    that runs. Of several faults such a one goes in first, for another may stop the capture.
    """

    through_capture: ClassVar[bool] = False

    def inject(self, stack: Stack) -> None:
        """Make the change, and return once it is made."""
        raise NotImplementedError

    def remove(self, stack: Stack) -> None:
        """Take the change back; also after a crash half-way through `inject`, and where the fault is not there."""
        raise NotImplementedError

    def sign(self, stack: Stack) -> Sign:
        """Read from the broken part itself whether the fault is in. It is asked after each `inject`, since a drill of
        a fault that never landed would prove nothing.
        """
        raise NotImplementedError

    def lasts(self) -> float | None:
        """After how many seconds it ends by itself; None: it stays in until it is taken out."""
        return None


def all_faults(folders: tuple[Path, ...] = ()) -> dict[str, type[Fault]]:
    """Every fault of this package and of the given scenario folders, by id."""
    return collect(faults, folders, "faults", plugins_in(Fault))
