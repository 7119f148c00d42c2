"""Declare a column that somebody added on purpose: the lake reads it from then on (`lakeproof lake evolve`).

The other repair of a column that nobody announced is to drop it (drop_unexpected_column). Which of the two is right
is for whoever changed the table to say, so a diagnosis never proposes this one by itself.
"""

from collections.abc import Sequence

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.lake.capture.columns import Difference, look, require_none_missing
from lakeproof.lake.capture.evolving import evolve
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, left_out, named
from lakeproof.mitigations.named import hold as hold_to
from lakeproof.stack.stack import Stack


class DeclareColumn(Named, OfDatabase):
    """`only`: the columns that may be declared (named.py)."""


def typed(stack: Stack, arguments: DeclareColumn) -> str:
    """The commands and the way back, or why there are none; only their form where the database does not answer."""
    try:
        _, found = _to_declare(stack, arguments)
    except NotReady:
        return "lakeproof lake evolve TABLE COLUMN for each column that the lake's SQL does not declare"
    except InvalidInput as error:
        return f"nothing, it will be refused: {error.message}"
    commands = [f"lakeproof lake evolve {each.table} {each.column} --yes" for each in found]
    return f"{'; '.join(commands)} (back: the same with --undo)" if commands else "nothing to declare"


def run(stack: Stack, arguments: DeclareColumn) -> str:
    """Declare the unexpected columns, one after another; safe where there is none.

    Raises: InvalidInput, with nothing declared, where a table of such a column lacks another one; as `evolve`.
    """
    unexpected, found = _to_declare(stack, arguments)
    told = []
    for each in found:
        done = evolve(stack, each.table, each.column)
        told.append(f"{each} as {done.kind}{f' ({done.said})' if done.said else ''}")
    return f"declared: {'; '.join(told) or 'nothing, no column is unexpected'}{left_out(unexpected, found)}"


def hold(stack: Stack, arguments: DeclareColumn) -> dict[str, str]:
    """The columns that are unexpected now. Raises: NotReady where the database gives no answer."""
    return hold_to(arguments, look(stack, arguments.source).without_renamed.unexpected)


def _to_declare(stack: Stack, arguments: DeclareColumn) -> tuple[Sequence[Difference], list[Difference]]:
    """The unexpected columns, and those of them that may be declared. A table whose rows would be read anew and that
    lacks a column is refused. Raises: as `look`, `named` and require_none_missing.
    """
    looked = look(stack, arguments.source).without_renamed
    found = named(arguments, looked.unexpected)
    keyed = {file.source for file in load_sql_files(arguments.database) if file.has_key}
    require_none_missing(looked, [each.table for each in found if each.table in keyed])
    return looked.unexpected, found


MITIGATION = Mitigation(
    "declare_column",
    "declare columns that the lake does not read yet, and redeploy the job from a savepoint",
    typed,
    run,
    DeclareColumn,
    hold=hold,
)
