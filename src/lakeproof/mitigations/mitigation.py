"""A mitigation: one step of repair that a person could also type. Its name is verb and object.

A step that several scenarios share is a class in this folder, one that a single scenario uses a class in repairs.py
of the scenario's folder. Which step mends which cause is data (causes.yaml), so a step is proposed only where a
cause names it. A person may run each of them by `lakeproof mitigate --action`; what only looks like a repair
therefore lies elsewhere (wrong_fixes/).
"""

from collections.abc import Mapping
from pathlib import Path

from lakeproof import mitigations
from lakeproof.modules import NOT_KNOWN_TO_A_REPAIR, collect
from lakeproof.plugin import Plugin, plugins_in
from lakeproof.stack.stack import Stack


class Mitigation(Plugin, abstract=True):
    """One step. Safe to repeat."""

    def typed(self, stack: Stack) -> str:
        """What a person would type instead."""
        raise NotImplementedError

    def run(self, stack: Stack) -> str:
        """Do it, and give what happened in one line. Raises: LakeproofError."""
        raise NotImplementedError

    def hold(self, stack: Stack) -> Mapping[str, str]:
        """The arguments, by name, that hold `run` to the columns, sessions … that `typed` names now: more could be
        there when it runs. Raises: what a question to the stack raises.
        """
        return {}


def all_mitigations(folders: tuple[Path, ...] = ()) -> dict[str, type[Mitigation]]:
    """Every mitigation of this package and of the given scenario folders, by id."""
    return collect(mitigations, folders, "repairs", plugins_in(Mitigation), NOT_KNOWN_TO_A_REPAIR)
