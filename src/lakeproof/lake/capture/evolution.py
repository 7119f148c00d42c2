"""What has to be done so that the lake has a new column of a captured table (`lake evolve`); evolving.py does it.

A new column is the one change that can be declared. The lake keeps the names and types that every published state
has, so a renamed, dropped or retyped column is refused, with what to do instead.
"""

import re
from dataclasses import dataclass

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture.columns import look, require_none_missing
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.job import added_columns
from lakeproof.lake.job.added_columns import AddedColumn, Stage, find_added
from lakeproof.lake.job.lake_table import lake_columns
from lakeproof.lake.job.sql_files import SqlFile, load_sql_files
from lakeproof.lake.publish.beat import HEARTBEAT_TABLE
from lakeproof.lake.sources.column_types import lake_type, parse_sql_type
from lakeproof.lake.sources.engine import Definition
from lakeproof.lake.sources.source import SOURCES, Source, present
from lakeproof.stack.stack import Stack

# In the lake names are compared in lower case; two underscores begin the two columns that the job itself adds.
_NAME = re.compile(r"^(?!__)[a-z_][a-z0-9_]{0,62}$")


@dataclass(frozen=True)
class Step:
    """One step. name: alter, declare, redeploy, reread; to take a column back: withdraw, redeploy. does: in words."""

    name: str
    does: str


@dataclass(frozen=True)
class Evolution:
    """What is to be done for one column, and what was found of it.

    kind: its type in the lake.
    there: its definition in the database; None where the database does not have it.
    noted: what is known of it as an added column (job/added_columns.py).
    steps: none where nothing is to be done.
    said: what a person has to know beside the steps.
    """

    source: Source
    file: SqlFile
    column: str
    kind: str
    there: Definition | None
    noted: AddedColumn | None
    steps: tuple[Step, ...]
    said: str = ""

    @property
    def name(self) -> str:
        """TABLE.COLUMN, the table as the connector names it."""
        return f"{self.file.source}.{self.column}"


def find_table(name: str) -> tuple[Source, SqlFile]:
    """The captured table that somebody means by `orders`, `oltp.orders`, `payment.payments` or `shop.payments`.

    Raises: InvalidInput where there is none, or more than one.
    """
    files = ((source, file) for source in SOURCES for file in load_sql_files(source.name))
    known = [(source, file) for source, file in files if file.table != HEARTBEAT_TABLE]
    full = [(source, file) for source, file in known if name in (file.source, f"{source.name}.{file.table}")]
    for found in (full, [(source, file) for source, file in known if name == file.table]):
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInput(
                f"{len(found)} captured tables are called so",
                where=name,
                next_action=f"one of {', '.join(file.source for _, file in found)}",
            )
    raise InvalidInput(
        "it is not captured, so the lake has no such table",
        where=name,
        next_action=f"one of {', '.join(file.source for _, file in known)}; a new table: docs/capture.md",
    )


def plan(stack: Stack, table: str, column: str, sql_type: str | None = None) -> Evolution:
    """What has to be done so that the lake has that column; changes nothing.

    sql_type: the column's type as in ADD COLUMN, for a column that the database does not have yet. Where the database
    has the column, its type and `sql_type` must come to the same type in the lake.
    Raises: InvalidInput for what cannot be declared so, with what to do instead; NotReady, ObjectStoreUnreachable
    where it could not look.
    """
    source, file = find_table(table)
    name = f"{file.source}.{column}"
    if not _NAME.match(column):
        raise InvalidInput(
            f"{column!r} is not a name that every engine of the lake takes",
            where=file.source,
            next_action="lower-case letters, digits and _; rename it in the database before it is declared",
        )
    if source not in present(stack):
        raise InvalidInput(
            f"{source.server} is not captured in this stack now",
            where=name,
            next_action=f"lakeproof up {source.capture}",
        )
    connector = find_connector(source.connector)
    there = source.module.definition(stack, connector, file.source, column)
    noted = find_added(stack, source, file.source, column)
    if column in file.columns:
        return _of_the_files(source, file, column, there)
    if there is None and noted is not None and noted.is_declared and not noted.awaited:
        raise InvalidInput(
            "it was declared, and the database does not have it any more",
            where=name,
            next_action=f"lakeproof lake evolve {file.source} {column} --undo; where it is to come back: ALTER TABLE "
            f"{file.source} ADD COLUMN {column} …, then lakeproof lake evolve {file.source} {column}"
            + (", which reads the rows anew" if file.has_key else ""),
        )
    kind = _kind(source, name, there, sql_type, noted)
    _require_no_rename(stack, source, file, column, noted)
    in_lake = lake_columns(stack, source, file.table).get(column)
    if in_lake is not None and _compact(in_lake) != _compact(kind):
        raise InvalidInput(
            f"the lake's table has it as {in_lake} already, since it was declared so before",
            where=name,
            next_action=f"give it another name, or a type that is {in_lake} in the lake",
        )
    return _evolution(stack, source, file, column, kind, there, noted, in_lake=in_lake is not None)


def _of_the_files(source: Source, file: SqlFile, column: str, there: Definition | None) -> Evolution:
    """A column that lake/jobs declares needs no step. Raises: InvalidInput where the database lacks the column."""
    if there is None:
        raise InvalidInput(
            f"the lake reads it, and {source.server} does not have it: it was dropped or renamed, and neither can be "
            "declared, for every published state has the column",
            where=f"{file.source}.{column}",
            next_action="lakeproof diagnose names the repair (restore_column, rename_column_back)",
        )
    said = f"lake/jobs/{source.name}/{file.table}.sql declares it"
    return Evolution(source, file, column, file.columns[column], there, None, (), said)


def _kind(
    source: Source, name: str, there: Definition | None, sql_type: str | None, noted: AddedColumn | None
) -> str:
    """The column's type in the lake, by the database's definition or by what was typed. Raises: InvalidInput."""
    typed = None if sql_type is None else parse_sql_type(sql_type)
    if there is None and typed is None and (noted is None or not noted.is_declared):
        raise InvalidInput(
            f"{source.server} has no such column",
            where=name,
            next_action="ALTER TABLE … ADD COLUMN first; to declare it before that, say its --type",
        )
    if there is not None and there.generated:
        raise InvalidInput(
            f"{source.server} computes it, and its log does not carry it",
            where=name,
            next_action="compute it where the lake is read",
        )
    nullable = there.nullable if there is not None else typed is None or typed.nullable
    has_default = there.has_default if there is not None else typed is not None and typed.has_default
    if not nullable and not has_default:
        raise InvalidInput(
            "it is NOT NULL and has no default: a service that does not name it can insert no row",
            where=name,
            next_action="allow NULL, or give it a DEFAULT, then this again (in the lake it allows NULL in any case)",
        )
    kinds = []
    if there is not None:
        kinds.append(lake_type(source.engine, there.kind, where=name))
    if typed is not None:
        kinds.append(lake_type(source.engine, typed.text, where=name))
    if noted is not None and noted.is_declared:
        kinds.append(noted.kind)
    if len({_compact(kind) for kind in kinds}) > 1:
        raise InvalidInput(
            f"it would be {' and '.join(dict.fromkeys(kinds))} in the lake, and a declared column keeps its type",
            where=name,
            next_action="change it back in the database; for another type add a column of another name",
        )
    return kinds[0]


def _require_no_rename(stack: Stack, source: Source, file: SqlFile, column: str, noted: AddedColumn | None) -> None:
    """A column that took another one's place is not new. Raises: InvalidInput."""
    if noted is not None and noted.is_declared:
        return
    for gone, new in look(stack, source).renamed:
        if (new.table, new.column) == (file.source, column):
            raise InvalidInput(
                f"it looks like {gone.column} renamed, and the lake keeps the name that every published state has",
                where=f"{file.source}.{column}",
                next_action="lakeproof mitigate INCIDENT --action rename_column_back; for a new name add a column "
                "beside the old one, fill it, declare it, and drop nothing",
            )


def _evolution(
    stack: Stack,
    source: Source,
    file: SqlFile,
    column: str,
    kind: str,
    there: Definition | None,
    noted: AddedColumn | None,
    *,
    in_lake: bool,
) -> Evolution:
    stage = noted.stage if noted is not None and noted.is_declared else None
    steps = []
    if stage is None and not in_lake:
        does = f"lake: ALTER TABLE {source.name}.{file.table} ADD ({column} {kind}); Flink plans the new job before"
        steps.append(Step("alter", does))
    if stage is None:
        path = added_columns.path_of(stack, source)
        steps.append(Step("declare", f"the job's SQL, check and diagnosis know {column} {kind} from now on ({path})"))
    if stage in (None, Stage.DECLARED):
        steps.append(Step("redeploy", f"{source.job} stops with a savepoint and starts from it"))
    arrived = noted is not None and noted.awaited and there is not None
    said = f"{source.server} does not have it yet: ALTER TABLE … ADD COLUMN, then this again" if there is None else ""
    if there is not None and stage is Stage.DONE and not arrived and file.has_key:
        said = (
            "it is declared; where it was dropped and added again since, the lake keeps the values of before until "
            "--undo, and then this again, has the rows read anew"
        )
    if there is not None and (stage is not Stage.DONE or arrived):
        if file.has_key:
            require_none_missing(look(stack, source), [file.source])
            does = f"rows of {file.source} that have a value already are read anew by connector {source.connector}"
            steps.append(Step("reread", does))
        else:
            said = (
                f"{file.source} is append-only in the lake: rows that have a value already keep NULL there, and "
                "`lakeproof check` lists them as stale"
            )
    return Evolution(source, file, column, kind, there, noted, tuple(steps), said)


def plan_undo(stack: Stack, table: str, column: str) -> Evolution:
    """What has to be done so that the job does not read an added column any more. The lake's table keeps it.

    Raises: InvalidInput for a column that lake/jobs declares, or that was never added.
    """
    source, file = find_table(table)
    noted = find_added(stack, source, file.source, column)
    if noted is None:
        why = "lake/jobs declares it" if column in file.columns else "it was never declared"
        raise InvalidInput(
            f"{why}: only what `lake evolve` declared is taken back",
            where=f"{file.source}.{column}",
            next_action="lakeproof diagnose",
        )
    steps = []
    if noted.is_declared:
        steps.append(Step("withdraw", f"the job's SQL, check and diagnosis do not know {column} any more"))
    if noted.is_declared or noted.stage is Stage.WITHDRAWING:
        steps.append(Step("redeploy", f"{source.job} stops with a savepoint and starts from it"))
    said = (
        "the lake's table keeps the column, and a row that is written anew has NULL there; where it is declared "
        "again, the rows are read anew"
    )
    return Evolution(source, file, column, noted.kind, None, noted, tuple(steps), said)


def _compact(kind: str) -> str:
    return kind.replace(" ", "").upper()
