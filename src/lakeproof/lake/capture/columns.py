"""The columns of a source's captured tables, in the database and in the job's SQL: where do the two differ?

A column that the SQL does not declare is left out of the lake. A declared column that is gone from the database turns
NULL in the lake. A column whose type was changed is fine as long as each value can still be read as the declared
type; a single value that cannot makes the job restart for ever.
"""

import logging
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.job.added_columns import added_columns, with_added
from lakeproof.lake.job.sql_files import load_sql_files
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 1.0
ASK_SECONDS = 3.0

log = logging.getLogger(__name__)

type Columns = Mapping[str, Mapping[str, str]]

_INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "integer"})
_WHOLE = _INTEGERS | {"bigint"}
_NUMBERS = _WHOLE | {"decimal", "numeric"}
_TIMES = frozenset({"datetime", "timestamp", "timestamp with time zone", "timestamp without time zone"})
# Flink's type, without its size → the types at the source whose values it takes. Any value can be read as a STRING.
_READABLE = {
    "INT": _INTEGERS,
    "BIGINT": _WHOLE,
    "DECIMAL": _NUMBERS,
    "TIMESTAMP": _TIMES,
    "BOOLEAN": frozenset({"boolean", "tinyint"}),
}


@dataclass(frozen=True)
class Difference:
    """A column in which database and SQL differ. kind: its type at the source; None: it is not there. declared: its
    type in the SQL; None: the SQL does not declare it.
    """

    table: str
    column: str
    kind: str | None
    declared: str | None

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@dataclass(frozen=True)
class Differences:
    """Where a source's tables and the SQL differ.

    unexpected: columns that the SQL does not declare.
    unreadable: declared columns that the database lacks, or whose type has values that the SQL may refuse.
    renamed: pairs of an unreadable column and the unexpected one that seems to have taken its place. A table has such
    a pair where it lacks just one declared column, and has just one unexpected column, whose values can be read in
    its place. Both columns stand in the lists above as well.
    """

    unexpected: tuple[Difference, ...]
    unreadable: tuple[Difference, ...]

    @property
    def renamed(self) -> tuple[tuple[Difference, Difference], ...]:
        """The pairs that the class describes, in the tables' order."""
        found = []
        for table in dict.fromkeys(each.table for each in self.unexpected):
            gone = [each for each in self.unreadable if each.table == table and each.kind is None]
            new = [each for each in self.unexpected if each.table == table]
            if len(gone) == len(new) == 1 and _readable(new[0].kind, str(gone[0].declared)):
                found.append((gone[0], new[0]))
        return tuple(found)

    @property
    def without_renamed(self) -> "Differences":
        """What is left when the renamed columns are set aside."""
        told = {each for pair in self.renamed for each in pair}
        return Differences(
            tuple(each for each in self.unexpected if each not in told),
            tuple(each for each in self.unreadable if each not in told),
        )


def declared_columns(source: Source, stack: Stack | None = None) -> Columns:
    """Captured table → column → Flink's type, by the job's SQL files. stack: add the columns that were added to it.

    Raises: TerminalError where the stack's list of added columns is broken.
    """
    added = () if stack is None else added_columns(stack, source)
    if not added:
        return _in_the_files(source)
    return {file.source: with_added(file, added).columns for file in load_sql_files(source.name)}


@cache
def _in_the_files(source: Source) -> Columns:
    return {file.source: file.columns for file in load_sql_files(source.name)}


def _declared_and_due(stack: Stack, source: Source, there: Columns) -> Columns:
    """The declared columns, without those that were declared before the database has them."""
    declared = declared_columns(source, stack)
    early = {(each.table, each.column) for each in added_columns(stack, source) if each.awaited}
    return {
        table: {
            column: kind
            for column, kind in columns.items()
            if (table, column) not in early or column in there.get(table, {})
        }
        for table, columns in declared.items()
    }


def differences(there: Columns, declared: Columns) -> Differences:
    """Where the captured tables differ from the SQL. A table that does not exist does not count."""
    unexpected = [
        Difference(table, column, kind, None)
        for table, columns in declared.items()
        for column, kind in there.get(table, {}).items()
        if column not in columns
    ]
    unreadable = [
        Difference(table, column, there[table].get(column), wanted)
        for table, columns in declared.items()
        if there.get(table)
        for column, wanted in columns.items()
        if not _readable(there[table].get(column), wanted)
    ]
    return Differences(tuple(unexpected), tuple(unreadable))


def _readable(kind: str | None, declared: str) -> bool:
    taken = _READABLE.get(declared.partition("(")[0].strip().upper())
    return kind is not None and (taken is None or kind in taken)


def look(stack: Stack, source: Source, seconds: float = ASK_SECONDS) -> Differences:
    """The differences now. Raises: NotReady without an answer of the database."""
    there = source.module.columns(stack, find_connector(source.connector), seconds)
    return differences(there, _declared_and_due(stack, source, there))


def require_none_missing(found: Differences, tables: Collection[str]) -> None:
    """Call it before all rows of these tables are read anew. A column that the database lacks would become NULL in
    the lake's rows, and the lake is the only place that a dropped column's values can be restored from.

    Raises: InvalidInput where the database lacks a declared column of one of them.
    """
    for each in found.unreadable:
        if each.kind is None and each.table in tables:
            raise InvalidInput(
                f"{each.column} is missing in the same table, restore it first: the rows would be read anew without "
                "it, and the lake would lose its values",
                where=each.table,
                next_action="lakeproof diagnose names the repair (restore_column, rename_column_back), then this",
            )


class ColumnWatch(threading.Thread):
    """Looks at a source's columns until `stop` is set. `drifted`: table → how many of its columns differ from the
    SQL, by the newest look; None before the first look and while nobody can look. A renamed column counts once.
    """

    def __init__(self, stack: Stack, source: Source, stop: threading.Event) -> None:
        super().__init__(name=f"columns-{source.name}", daemon=True)
        self.source = source
        self.drifted: Mapping[str, int] | None = None
        self._stack, self._stop_asked = stack, stop

    def run(self) -> None:
        """The thread's work."""
        told: str | None = None
        while not self._stop_asked.is_set():
            try:
                self.drifted = dict(self._counted(look(self._stack, self.source)))
                told = None
            except NotReady:
                # The ticker, which writes to the same server, reports that it does not answer.
                self.drifted = None
            except Exception as error:  # a thread that died would keep its last figure for good
                self.drifted = None
                if told != str(error):
                    log.exception("could not look at the columns of %s", self.source.name)
                told = str(error)
            self._stop_asked.wait(LOOK_SECONDS)

    def _counted(self, found: Differences) -> Iterator[tuple[str, int]]:
        others = found.without_renamed
        told = [*others.unexpected, *others.unreadable, *(gone for gone, _ in found.renamed)]
        for table in declared_columns(self.source, self._stack):
            yield table, sum(1 for each in told if each.table == table)
