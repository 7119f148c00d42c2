"""Declaring a new column of a captured table: the command of the group `lake` that changes the lake's schema."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeproof.cli.asking import agreed
from lakeproof.cli.output import print_json, say
from lakeproof.cli.requiring import require_healthy
from lakeproof.errors import InvalidInput
from lakeproof.stack.stack import Stack, load_stack
from lakeproof.telling import Telling

if TYPE_CHECKING:
    from lakeproof.lake.capture.evolution import Evolution

NEEDS = ("flink-jobmanager", "minio", "connect", "kafka")


def evolve(
    table: Annotated[str, typer.Argument(help="a captured table: orders, oltp.orders, payment.payments")],
    column: Annotated[str, typer.Argument(help="the new column, as the database names it")],
    sql_type: Annotated[
        str | None,
        typer.Option("--type", metavar="SQLTYPE", help="its type, of a column that the database does not have yet"),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="stop reading the column; the lake's table keeps it")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done, step by step")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do it without asking")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="data for scripts on stdout")] = False,
) -> None:
    """Declare a new column of a captured table: its values come into the lake from then on, and nothing is lost.

    Run it after the ALTER TABLE … ADD COLUMN in the database; the type is read there. Or run it before, with --type:
    then no value is ever missing in the lake. Run it again after the ALTER TABLE in that case, for rows that got a
    DEFAULT. Values that were written between ALTER TABLE and this are read anew (of an append-only table they stay
    NULL, and `lakeproof check` lists them). The job restarts from a savepoint, so the lake stands still for seconds.

    A run that was cut off is finished by the next one; a second run finds nothing to do. Renamed and dropped columns
    are refused. Without --yes it asks; without a terminal to ask on, it only says what it would do.
    Exit 0 done, or only said, 1 failed, 2 where the answer is no, or the column is refused, 3 could not look.
    """
    from lakeproof.lake.capture import evolving
    from lakeproof.lake.capture.evolution import find_table

    if undo and sql_type is not None:
        raise InvalidInput("a column that is taken back needs no type", where="--type", next_action="leave it out")
    stack = load_stack()
    source, _ = find_table(table)
    require_healthy(stack, (source.engine, *NEEDS))
    wanted = _planned(stack, table, column, sql_type, undo=undo)
    say(f"{wanted.name}: {wanted.kind} in the lake")
    for place, step in enumerate(wanted.steps, start=1):
        say(f"  {place}. {step.name}: {step.does}")
    for line in filter(None, (wanted.said, "" if wanted.steps else "nothing to do")):
        say(f"  {line}")
    asked = dry_run or not wanted.steps or yes or agreed("do it?", f"lake evolve {table} {column}")
    done = bool(wanted.steps) and asked and not dry_run
    if done:
        with Telling("lakeproof.lake", say, "looking once more, then step by step"):
            if undo:
                evolving.undo(stack, table, column)
            else:
                evolving.evolve(stack, table, column, sql_type)
        say(f"done: {_now(wanted, undo=undo)}")
    elif not asked:
        say("nothing was done; --yes does it")
    if as_json:
        print_json(_as_json(wanted, done=done))


def _planned(stack: Stack, table: str, column: str, sql_type: str | None, *, undo: bool) -> "Evolution":
    from lakeproof.lake.capture import evolution

    return evolution.plan_undo(stack, table, column) if undo else evolution.plan(stack, table, column, sql_type)


def _now(wanted: "Evolution", *, undo: bool) -> str:
    if undo:
        return f"the lake's job reads {wanted.name} no more"
    if wanted.there is None:
        return f"the lake is ready for {wanted.name}; once the database has the column, run this again"
    return f"the lake has {wanted.name}; `lakeproof check` holds it to the database"


def _as_json(wanted: "Evolution", *, done: bool) -> dict[str, Any]:
    return {
        "table": wanted.file.source,
        "column": wanted.column,
        "lake_type": wanted.kind,
        "in_database": wanted.there is not None,
        "steps": [{"step": step.name, "does": step.does} for step in wanted.steps],
        "said": wanted.said,
        "done": done,
    }
