"""Take back a column that nobody announced: drop those that neither the lake's SQL nor the shop's own schema has.

The values of such a column go with it. The dry run lists its different values. The repair keeps these in a
file (kept_values.py; the different values, not which row had which), and says where. A column with twenty different
values or more is not dropped; whoever did not announce it may want to look at it first.
"""

import re
from collections.abc import Iterator
from functools import partial
from importlib.resources import files

from lakeproof.errors import NotReady, TerminalError
from lakeproof.lake.capture.columns import Difference, look
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.job.sql_files import split_statements
from lakeproof.lake.of_database import OfDatabase
from lakeproof.lake.sources.engine import KEPT_VALUES
from lakeproof.lake.sources.source import Source
from lakeproof.mitigations.kept_values import keep_values
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, left_out, named
from lakeproof.mitigations.named import hold as hold_to
from lakeproof.stack.stack import Stack

MOST = KEPT_VALUES


class DropUnexpectedColumn(Named, OfDatabase):
    """`only`: the columns that may be dropped (named.py)."""


def typed(stack: Stack, arguments: DropUnexpectedColumn) -> str:
    """The statements, with the values that would be lost; only their form where the database does not answer."""
    try:
        found = named(arguments, list(_to_drop(stack, arguments)))
    except NotReady:
        return "ALTER TABLE … DROP COLUMN … for each column that the lake's SQL does not declare"
    statements = "; ".join(f"ALTER TABLE {each.table} DROP COLUMN {each.column}" for each in found)
    lost = [f"{each}: {', '.join(values)}" for each, values in _values(stack, arguments, found).items()]
    return f"{statements or 'nothing to drop'}{f'; values that go with it: {"; ".join(lost)}' if lost else ''}"


def run(stack: Stack, arguments: DropUnexpectedColumn) -> str:
    """Drop the unexpected columns; safe where there is none.

    Values that are written into a column after the look are kept as well: it is read once more while nobody writes.
    Raises: TerminalError where a column may not be dropped or its values cannot be kept, with nothing dropped (unless
    they were written meanwhile); NotReady where the database does not do it: some columns may be dropped by then, and
    the next run drops the rest.
    """
    source = arguments.source
    unexpected = list(_to_drop(stack, arguments))
    found = named(arguments, unexpected)
    values = _values(stack, arguments, found)
    for each, held in values.items():
        _require_few(each, held)
    kept = _keep(stack, source, values)

    def keep_new(each: Difference, now: list[str]) -> None:
        nonlocal kept
        if not set(now) <= set(values.get(each, ())):
            _require_few(each, now)
            kept += _keep(stack, source, {each: now})

    for each in found:
        keep, connector = partial(keep_new, each), find_connector(source.connector)
        try:
            source.module.drop_column(stack, connector, each.table, each.column, keep)
        except NotReady as error:
            words = f"{each} is not dropped: {error.what}{kept}"
            raise NotReady(words, where=error.where, next_action=error.next_action) from error
    names = ", ".join(map(str, found)) or "nothing, no column is unexpected"
    return f"dropped: {names}{kept}{left_out(unexpected, found)}"


def _require_few(each: Difference, held: list[str]) -> None:
    """Raises: TerminalError where the column holds so many values that somebody should look at them first."""
    if len(held) >= MOST:
        raise TerminalError(
            f"{each} holds {MOST} different values or more, which would be lost",
            where=each.table,
            next_action="keep them first, then ALTER TABLE … DROP COLUMN; or declare it: "
            f"lakeproof lake evolve {each.table} {each.column}",
        )


def hold(stack: Stack, arguments: DropUnexpectedColumn) -> dict[str, str]:
    """The columns that are unexpected now. Raises: NotReady where the database gives no answer."""
    return hold_to(arguments, _to_drop(stack, arguments))


def _to_drop(stack: Stack, arguments: DropUnexpectedColumn) -> Iterator[Difference]:
    # A renamed column holds the values of the old one, so it does not count as unexpected.
    found = look(stack, arguments.source).without_renamed
    missing = {each.table: each for each in found.unreadable if each.kind is None}
    for each in found.unexpected:
        if in_shops_schema(each.column):
            raise TerminalError(
                f"the shop's own schema has a column {each.column}",
                where=each.table,
                next_action=f"declare it: lakeproof lake evolve {each.table} {each.column}",
            )
        if each.table in missing:
            # Where two columns of one table were renamed, nobody can tell which is which.
            raise TerminalError(
                f"{missing[each.table].column} is missing in the same table, and {each.column} may hold its values",
                where=each.table,
                next_action=f"rename it back, or restore {missing[each.table].column} first; then repeat",
            )
        yield each


def in_shops_schema(column: str) -> bool:
    """True where a statement of a service's schema names the column, in whichever table."""
    schemas = [service / "schema.sql" for service in files("lakeproof.shop").iterdir() if service.is_dir()]
    word = re.compile(rf"\b{re.escape(column)}\b")
    scripts = (schema.read_text(encoding="utf-8") for schema in schemas if schema.is_file())
    return any(word.search(statement) for script in scripts for statement in split_statements(script))


def _values(stack: Stack, arguments: DropUnexpectedColumn, found: list[Difference]) -> dict[Difference, list[str]]:
    """The different values of each column that holds any."""
    source = arguments.source
    connector = find_connector(source.connector)
    held = {each: source.module.values_in(stack, connector, each.table, each.column) for each in found}
    return {each: values for each, values in held.items() if values}


def _keep(stack: Stack, source: Source, values: dict[Difference, list[str]]) -> str:
    """Keep the values. Gives the words that name their file; "" without values. Raises: as keep_values."""
    if not values:
        return ""
    path = keep_values(stack, source.name, {str(each): held for each, held in values.items()})
    return f"; {sum(map(len, values.values()))} different values kept in {path}"


MITIGATION = Mitigation(
    "drop_unexpected_column",
    "drop columns that neither the lake nor the shop knows, and keep their values in a file",
    typed,
    run,
    DropUnexpectedColumn,
    hold=hold,
)
