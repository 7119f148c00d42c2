"""A mitigation: one step of repair that a person could also type.

One file per step in this folder, named verb_object, with one `MITIGATION = Mitigation(...)` at its end. The folder
also holds steps that only look like repairs: the wrong fixes in a scenario's truth are made of them, and the checks
must turn them down. What mends what is data (causes.yaml), so no step is offered unless a cause names it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeproof import mitigations
from lakeproof.arguments import Arguments
from lakeproof.modules import collect, folder_modules, package_modules
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Mitigation:
    """One step.

    typed(stack, arguments): what a person would type instead. run(stack, arguments): does it; returns what happened
    in one line; raises LakeproofError. Safe to repeat.
    undo: takes back what a step left behind that is no repair (a silence); None where nothing stays.
    """

    id: str
    summary: str
    typed: Callable[[Stack, Any], str]
    run: Callable[[Stack, Any], str]
    arguments: type[Arguments] = Arguments
    undo: Callable[[Stack, Any], None] | None = None


def all_mitigations(folders: tuple[Path, ...] = ()) -> dict[str, Mitigation]:
    """Every mitigation of this package and of the given scenario folders, by id."""
    modules = [*package_modules(mitigations)]
    for folder in folders:
        modules.extend(folder_modules(folder))
    return collect(modules, "MITIGATION", Mitigation)
