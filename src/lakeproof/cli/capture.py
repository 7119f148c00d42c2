"""`lakeproof capture`: the connectors of change capture, and the tables that they capture."""

from typing import Annotated

import typer

from lakeproof.cli.asking import agreed
from lakeproof.cli.output import print_rows, say
from lakeproof.stack.stack import load_stack

JsonOption = Annotated[bool, typer.Option("--json", help="print JSON on stdout")]


def add_to(app: typer.Typer) -> None:
    """Bring the command group `capture`."""
    group = typer.Typer(no_args_is_help=True, help="What is captured from the databases, and by which connector.")
    group.command("tables")(tables)
    group.command("register")(register)
    group.command("new-slot")(new_slot)
    app.add_typer(group, name="capture")


def tables(as_json: JsonOption = False) -> None:
    """The captured tables, as the connectors' files list them."""
    from lakeproof.lake.capture.connector import connectors

    rows = [
        {"connector": name, "database": connector.database, "table": table, "topic": connector.topic}
        for name, connector in connectors().items()
        for table in connector.tables
    ]
    print_rows(as_json, rows, ("Connector", "Database", "Table", "Topic"), [tuple(row.values()) for row in rows])


def register(
    name: Annotated[str, typer.Argument(help="connector; its file: lakeproof_shop/connectors/NAME.json")] = "orders",
) -> None:
    """Hand a connector's file to Kafka Connect: a changed one (a new table), or one that was deleted there.

    It goes on from its old position: no row is lost or read twice. A new table's earlier rows are read as well; it
    must have its reader first (an SQL file, then `lakeproof lake redeploy`), and is refused without. One of
    PostgreSQL is added to the publication on the way.
    """
    from lakeproof.lake.capture.new_tables import require_readers
    from lakeproof.lake.capture.registration import register as hand_over

    stack = load_stack()
    require_readers(stack, name)
    hand_over(stack, name)
    say(f"connector {name} is registered as its file says")


def new_slot(
    name: Annotated[str, typer.Argument(help="a connector of PostgreSQL")] = "shop",
    yes: Annotated[bool, typer.Option("--yes", help="do it without asking")] = False,
) -> None:
    """Give a connector a new replication slot where its old one is lost or was dropped, and read all rows anew.

    `main` shows nothing of these tables until all rows are there, each once, and without those that were deleted
    meanwhile. That takes minutes; after a call that was cut off, call it again. Without --yes it asks; without a
    terminal to ask on, it only says what it would do.
    Exit 0 done, or only said, 1 failed, 2 where the answer is no, or the slot keeps its place, 3 could not look.
    """
    from lakeproof.lake.capture.connector import find_connector
    from lakeproof.lake.capture.new_slot import require_lost, steps
    from lakeproof.lake.capture.reading_anew import replace_slot
    from lakeproof.lake.capture.rewriting import in_counts
    from lakeproof.lake.job.passing_over import is_held
    from lakeproof.lake.sources.source import find_source

    stack = load_stack()
    connector = find_connector(name)
    # A call that was cut off goes on, whatever its slot is like by now.
    if not is_held(stack, find_source(connector.database)):
        require_lost(stack, name)
    for step in steps(connector):
        say(f"  {step}")
    if not yes and not agreed("do it?", f"capture new-slot {name}"):
        say("nothing was done; --yes does it")
        return
    taken = replace_slot(stack, name, say)
    say(
        f"connector {name} follows a new slot, and main shows all rows of {connector.database}; then: lakeproof check"
    )
    say(f"  taken out: second rows {in_counts(taken.second)}; deleted meanwhile {in_counts(taken.gone)}")
