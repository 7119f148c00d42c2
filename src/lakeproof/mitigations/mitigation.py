"""A mitigation: one step of repair that a person could also type.

One file per step in this folder, named verb_object, with one `MITIGATION = Mitigation(...)` at its end. Which step
mends which cause is data (causes.yaml), so a step is proposed only where a cause names it. A person may run each of
them by `lakeproof mitigate --action`; what only looks like a repair therefore lies elsewhere (wrong_fixes/).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lakeproof import mitigations
from lakeproof.arguments import Arguments
from lakeproof.modules import NOT_KNOWN_TO_A_REPAIR, collect
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Mitigation:
    """One step. Safe to repeat.

    typed(stack, arguments): what a person would type instead. run(stack, arguments): does it; returns what happened
    in one line; raises LakeproofError.
    hold(stack, arguments): the arguments, by name, that hold `run` to the columns, sessions … that `typed` names now:
    more could be there when it runs. Raises what a question to the stack raises.
    """

    id: str
    summary: str
    typed: Callable[[Stack, Any], str]
    run: Callable[[Stack, Any], str]
    arguments: type[Arguments] = Arguments
    hold: Callable[[Stack, Any], Mapping[str, str]] = field(default=lambda stack, arguments: {}, kw_only=True)


def all_mitigations(folders: tuple[Path, ...] = ()) -> dict[str, Mitigation]:
    """Every mitigation of this package and of the given scenario folders, by id."""
    return collect(mitigations, folders, "MITIGATION", Mitigation, NOT_KNOWN_TO_A_REPAIR)
