"""Columns that were added to captured tables after the SQL files were written (`lakeproof lake evolve`).

The SQL files of lake/jobs are part of Lakeproof; a column that users add to their own database is part of the stack.
So such columns are kept in a file of the stack's: they outlive `down` and `up`, and `lakeproof reset` forgets them
together with the lake. Whoever makes a job, or compares the database with what is declared, takes the SQL files with
these columns (`job_files`).
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from lakeproof.errors import TerminalError
from lakeproof.lake.job.sql_files import SqlFile, load_sql_files
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file


class Stage(StrEnum):
    """How far the column has come. Each stage is written before the step that follows it, so that a command that was
    cut off can be finished by the next one.
    """

    # The lake's table may have the column by now. The job neither reads nor writes it.
    ADDING = "adding"
    # The lake's table has it. Each job that is submitted from now on reads it; the one that runs may not.
    DECLARED = "declared"
    # The job reads it. Rows that were written before may lack their value in the lake.
    DEPLOYED = "deployed"
    DONE = "done"
    # Taken back. The job that runs may still read it; the lake's table keeps it, here and in the next stage.
    WITHDRAWING = "withdrawing"
    WITHDRAWN = "withdrawn"


READ_BY_THE_JOB = frozenset({Stage.DECLARED, Stage.DEPLOYED, Stage.DONE})


@dataclass(frozen=True)
class AddedColumn:
    """A column that was added.

    table: as the connector names it.
    kind: Flink's type.
    awaited: it was declared before the database had it, so it may be missing there.
    since: when the job began to read it, in seconds since 1970.
    filled: it was declared once before, so the lake's table may hold values that the database no longer has.
    """

    table: str
    column: str
    kind: str
    stage: Stage
    awaited: bool = False
    since: float | None = None
    filled: bool = False

    def at(self, stage: Stage) -> "AddedColumn":
        """The same column at that stage."""
        return replace(self, stage=stage)

    @property
    def is_declared(self) -> bool:
        """True where a job that is submitted now reads it."""
        return self.stage in READ_BY_THE_JOB


def added_columns(stack: Stack, source: Source) -> tuple[AddedColumn, ...]:
    """All columns that were ever added, also those taken back since. Raises: TerminalError for a broken file."""
    path = path_of(stack, source)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return tuple(AddedColumn(**entry | {"stage": Stage(entry["stage"])}) for entry in entries)
    except FileNotFoundError:
        return ()
    except (ValueError, TypeError, KeyError) as error:
        raise TerminalError(
            f"not the list of added columns: {error}",
            where=str(path),
            next_action="restore it, or remove it and run `lakeproof lake evolve` for each column again",
        ) from error


def note(stack: Stack, source: Source, column: AddedColumn) -> None:
    """Keep `column` in the list from now on, in the place of what was noted of the same column before."""
    others = [each for each in added_columns(stack, source) if (each.table, each.column) != _name(column)]
    kept = [asdict(each) for each in (*others, column)]
    write_file(path_of(stack, source), json.dumps(kept, indent=1) + "\n")


def find_added(stack: Stack, source: Source, table: str, column: str) -> AddedColumn | None:
    """What is known of that column; None where it was never added."""
    return next((each for each in added_columns(stack, source) if _name(each) == (table, column)), None)


def job_files(stack: Stack, source: Source) -> tuple[SqlFile, ...]:
    """The SQL files of the source's job, with the columns that were added. Raises: InvalidInput, TerminalError."""
    return tuple(with_added(file, added_columns(stack, source)) for file in load_sql_files(source.name))


def with_added(file: SqlFile, added: Iterable[AddedColumn]) -> SqlFile:
    """One file with its added columns. The lake's table may also have an added column that the job does not read, so
    the INSERT names the columns that it writes.
    """
    mine = [each for each in added if each.table == file.source]
    for each in mine:
        if each.is_declared:
            file = file.with_column(each.column, each.kind)
    return file.naming_columns() if mine else file


def path_of(stack: Stack, source: Source) -> Path:
    """Where the added columns of a source are kept. A start of Flink empties the folders of its own components."""
    return stack.data_dir("lake") / f"{source.name}-added-columns.json"


def _name(column: AddedColumn) -> tuple[str, str]:
    return column.table, column.column
