"""Declare a column that somebody added on purpose: the lake reads it from then on (`lakeproof lake evolve`).

The other repair of a column that nobody announced is to drop it (drop_unexpected_column). Which of the two is right
is for whoever changed the table to say, so a diagnosis never proposes this one by itself.
"""

from lakeproof.errors import NotReady
from lakeproof.lake.capture.columns import Difference, look
from lakeproof.lake.capture.evolving import evolve
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, left_out, named
from lakeproof.mitigations.named import hold as hold_to
from lakeproof.stack.stack import Stack


class DeclareColumn(Named, OfDatabase):
    """`only`: of these columns (named.py)."""


def typed(stack: Stack, arguments: DeclareColumn) -> str:
    """The commands, and the way back. Without an answer of the database, how they look."""
    try:
        found = named(arguments, _unexpected(stack, arguments))
    except NotReady:
        return "lakeproof lake evolve TABLE COLUMN for each column that the lake's SQL does not declare"
    commands = [f"lakeproof lake evolve {each.table} {each.column} --yes" for each in found]
    return f"{'; '.join(commands)} (back: the same with --undo)" if commands else "nothing to declare"


def run(stack: Stack, arguments: DeclareColumn) -> str:
    """Declare them, one after another; fine where there is none. Raises: as `evolve`."""
    unexpected = _unexpected(stack, arguments)
    found = named(arguments, unexpected)
    told = []
    for each in found:
        done = evolve(stack, each.table, each.column)
        told.append(f"{each} as {done.kind}{f' ({done.said})' if done.said else ''}")
    return f"declared: {'; '.join(told) or 'nothing, no column is unexpected'}{left_out(unexpected, found)}"


def hold(stack: Stack, arguments: DeclareColumn) -> dict[str, str]:
    """The columns that are unexpected now. Raises: NotReady where the database gives no answer."""
    return hold_to(arguments, _unexpected(stack, arguments))


def _unexpected(stack: Stack, arguments: DeclareColumn) -> list[Difference]:
    return list(look(stack, arguments.source).without_renamed.unexpected)


MITIGATION = Mitigation(
    "declare_column",
    "declare columns that the lake does not read yet, and redeploy the job from a savepoint",
    typed,
    run,
    DeclareColumn,
    hold=hold,
)
