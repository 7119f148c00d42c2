"""A wrong step: it looks like a repair and mends nothing, or loses data.

A wrong step that several scenarios share is a class in this folder, one that a single scenario uses a class in
wrong_fixes.py of the scenario's folder. The wrong fixes in a scenario's truth.yaml are made of these steps, and the
scenario's checks must turn each of them down. Only `lakeproof drill --fix` runs them: code that proposes or runs
repairs on a live stack (`lakeproof mitigate`, a diagnosis, the desk) may not import them directly, which
import-linter checks.

A step that is the right repair of one cause and a wrong fix of another (restart_connector) is a mitigation.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lakeproof import wrong_fixes
from lakeproof.faults.fault import Fault, Sign
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.modules import collect
from lakeproof.plugin import plugins_in
from lakeproof.stack.stack import Stack


class WrongStep(Mitigation, Fault, abstract=True):
    """A step with the shape of a mitigation. A drill runs it in the place of the repair.

    Where a step leaves something behind (a silence), it has an `undo`: what it left is then put on record like a
    fault, and taken out at the end of the drill.
    """

    def undo(self, stack: Stack) -> None:
        """Take back what the step left behind."""
        raise NotImplementedError

    def stops(self, stack: Stack) -> Sequence[str]:
        """The components that a run of the step would stop now, and start again."""
        return ()

    def inject(self, stack: Stack) -> None:
        """As a fault on record: run it."""
        self.run(stack)

    def remove(self, stack: Stack) -> None:
        """As a fault on record: undo it."""
        self.undo(stack)

    def sign(self, stack: Stack) -> Sign:
        """As a fault on record: nobody asks."""
        return Sign(holds=False, seen="nobody looks whether a wrong step landed")


def left_by(steps: Mapping[str, type[WrongStep]]) -> dict[str, type[WrongStep]]:
    """Those of the steps that leave something behind, by id."""
    return {name: step for name, step in steps.items() if step.undo is not WrongStep.undo}


def all_wrong_steps(folders: tuple[Path, ...] = ()) -> dict[str, type[WrongStep]]:
    """Every wrong step of this package and of the given scenario folders, by id."""
    return collect(wrong_fixes, folders, "wrong_fixes", plugins_in(WrongStep))
