"""Give a renamed column the name back that the lake's SQL and the shop's services know, and have its rows read anew.

Rows that were changed while the column had another name are NULL there in the lake until they change again. So the
connector is asked to read the table's rows once more. An append-only table of the lake would hold them twice, so a
person has to look at its rows of that time. The tables are kept in a file of the stack until their rows were asked
for, so that a second run goes on where the first was cut off. Where such a table lacks another column by then,
nothing is read: the lake would lose that column's values.

A column that was dropped while somebody added another one looks the same in the list of columns. So the values of
both are compared before anything is renamed (another_name.py). If the rows were read with the wrong column, they
would overwrite the lake's values of the dropped one, and only from those can it be restored.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from lakeproof.errors import LakeproofError, NotReady
from lakeproof.lake.capture.backfill import read_existing_rows
from lakeproof.lake.capture.columns import Difference, look, require_none_missing
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.of_database import OfDatabase
from lakeproof.lake.sources.source import Source
from lakeproof.mitigations.another_name import require_another_name
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file


def typed(stack: Stack, arguments: OfDatabase) -> str:
    """The statements, or why there are none; only their form where the database does not answer."""
    source = arguments.source
    try:
        looked = look(stack, source)
    except NotReady:
        return "ALTER TABLE … RENAME COLUMN … TO … for each column that has another name than the lake's SQL knows"
    found = looked.renamed
    again = _read_anew(arguments, {gone.table for gone, _ in found} | _kept_tables(stack, arguments))
    try:
        require_none_missing(looked.without_renamed, again)
        _require_renamed(stack, source, found)
    except LakeproofError as error:
        return f"nothing, it will be refused: {error.message}"
    told = [statement(gone, new) for gone, new in found]
    told += [f"the rows of {table} are read anew" for table in again]
    return "; ".join(told) or "nothing to rename"


def statement(gone: Difference, new: Difference) -> str:
    """As a person would type it."""
    return f"ALTER TABLE {gone.table} RENAME COLUMN {new.column} TO {gone.column}"


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Rename, then ask for the rows; safe where no column is renamed.

    Raises: as require_none_missing and require_another_name, with nothing renamed; NotReady, DeadlineExpired.
    """
    source = arguments.source
    connector = find_connector(source.connector)
    looked = look(stack, source)
    found = looked.renamed
    kept, tables = _kept(stack, arguments), {gone.table for gone, _ in found} | _kept_tables(stack, arguments)
    again = _read_anew(arguments, tables)
    require_none_missing(looked.without_renamed, again)
    _require_renamed(stack, source, found)
    if found:
        write_file(kept, json.dumps(sorted(tables)))
    for gone, new in found:
        source.module.rename_column(stack, connector, gone.table, new.column, gone.column)
    if again:
        # Once more: to compare the values and to rename takes long enough for somebody to drop a column.
        require_none_missing(look(stack, source), again)
    read_existing_rows(stack, connector, again)
    kept.unlink(missing_ok=True)
    done = [f"{new} is {gone.column} again" for gone, new in found]
    done += [f"the rows of {table} are read anew" for table in again]
    left = sorted(tables - set(again))
    done += [f"rows of {table} that were written meanwhile lack it in the lake: look at them" for table in left]
    return "; ".join(done) or "nothing to rename, every column has its name"


def _require_renamed(stack: Stack, source: Source, found: Iterable[tuple[Difference, Difference]]) -> None:
    for gone, new in found:
        require_another_name(stack, source, gone, new)


def _kept(stack: Stack, arguments: OfDatabase) -> Path:
    return stack.state_dir / f"rename_column_back-{arguments.database}.json"


def _kept_tables(stack: Stack, arguments: OfDatabase) -> set[str]:
    """The tables of a run that was cut off before it had asked for their rows."""
    kept = _kept(stack, arguments)
    return set(json.loads(kept.read_text(encoding="utf-8"))) if kept.exists() else set()


def _read_anew(arguments: OfDatabase, tables: Iterable[str]) -> list[str]:
    """Of these, the tables whose lake table has a primary key."""
    keyed = {file.source for file in load_sql_files(database=arguments.database) if file.has_key}
    return sorted(keyed.intersection(tables))


MITIGATION = Mitigation(
    "rename_column_back",
    "give a renamed column its old name, and have its rows read anew",
    typed,
    run,
    OfDatabase,
)
