"""Take back a column that nobody announced: drop those that neither the lake's SQL nor the shop's own schema has.

What was written into such a column is lost with it. Up to twenty different values are listed, in the dry run too; a
column that holds more is not dropped, since nobody could give them back.
"""

import re
from collections.abc import Iterator
from importlib.resources import files

from lakeproof.errors import NotReady, TerminalError
from lakeproof.lake.capture.columns import Difference, look
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources.engine import KEPT_VALUES
from lakeproof.lake.sources.source import OLTP, SourceName, find_source
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named_columns import NamedColumns, left_out, named
from lakeproof.mitigations.named_columns import hold as hold_to
from lakeproof.stack.stack import Stack

MOST = KEPT_VALUES


class DropUnexpectedColumn(NamedColumns):
    """`database`: oltp (MariaDB) or shop (PostgreSQL). `only`: of these columns (named_columns.py)."""

    database: SourceName = OLTP.name


def typed(stack: Stack, arguments: DropUnexpectedColumn) -> str:
    """The statements, with the values that would be lost. Without an answer of the database, how they look."""
    try:
        found = named(arguments, list(_to_drop(stack, arguments)))
    except NotReady:
        return "ALTER TABLE … DROP COLUMN … for each column that the lake's SQL does not declare"
    statements = "; ".join(f"ALTER TABLE {each.table} DROP COLUMN {each.column}" for each in found)
    return f"{statements or 'nothing to drop'}{_lost(stack, arguments, found)}"


def run(stack: Stack, arguments: DropUnexpectedColumn) -> str:
    """Drop them; fine where there is none. Raises: TerminalError where the shop's schema has one of them."""
    source = find_source(arguments.database)
    unexpected = list(_to_drop(stack, arguments))
    found = named(arguments, unexpected)
    lost = _lost(stack, arguments, found)
    for each in found:
        if len(source.module.values_in(stack, find_connector(source.connector), each.table, each.column)) >= MOST:
            raise TerminalError(
                f"{each} holds {MOST} different values or more, which would be lost",
                where=each.table,
                next_action="keep them first, then ALTER TABLE … DROP COLUMN; or declare it: "
                f"lakeproof lake evolve {each.table} {each.column}",
            )
    for each in found:
        source.module.drop_column(stack, find_connector(source.connector), each.table, each.column)
    names = ", ".join(map(str, found)) or "nothing, no column is unexpected"
    return f"dropped: {names}{lost}{left_out(unexpected, found)}"


def hold(stack: Stack, arguments: DropUnexpectedColumn) -> dict[str, str]:
    """The columns that are unexpected now; none without an answer of the database."""
    try:
        return hold_to(arguments, _to_drop(stack, arguments))
    except NotReady:
        return hold_to(arguments, ())


def _to_drop(stack: Stack, arguments: DropUnexpectedColumn) -> Iterator[Difference]:
    # A renamed column holds what the old one held, and is none of these.
    for each in look(stack, find_source(arguments.database)).without_renamed.unexpected:
        if in_shops_schema(each.column):
            raise TerminalError(
                f"the shop's own schema has a column {each.column}",
                where=each.table,
                next_action=f"declare it: lakeproof lake evolve {each.table} {each.column}",
            )
        yield each


def in_shops_schema(column: str) -> bool:
    """True where a service's schema names it, in whichever table."""
    schemas = [service / "schema.sql" for service in files("lakeproof.shop").iterdir() if service.is_dir()]
    word = re.compile(rf"\b{re.escape(column)}\b")
    return any(word.search(schema.read_text(encoding="utf-8")) for schema in schemas if schema.is_file())


def _lost(stack: Stack, arguments: DropUnexpectedColumn, found: list[Difference]) -> str:
    source = find_source(arguments.database)
    connector = find_connector(source.connector)
    told = [
        f"{each}: {', '.join(values)}"
        for each in found
        if (values := source.module.values_in(stack, connector, each.table, each.column))
    ]
    return f"; values that go with it: {'; '.join(told)}" if told else ""


MITIGATION = Mitigation(
    "drop_unexpected_column",
    "drop columns that neither the lake nor the shop knows, and list their values",
    typed,
    run,
    DropUnexpectedColumn,
    hold=hold,
)
