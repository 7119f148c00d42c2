"""`lakeproof projector`: make the projection that services read anew."""

from typing import Annotated

import typer

from lakeproof.cli.output import say
from lakeproof.stack.stack import load_stack


def add_to(app: typer.Typer) -> None:
    """Bring the command group `projector`."""
    group = typer.Typer(help="Projections in Cassandra that services read.", no_args_is_help=True)
    group.callback()(_group)
    group.command("rebuild")(rebuild)
    app.add_typer(group, name="projector")


def _group() -> None:
    """Projections in Cassandra that services read."""


def rebuild(
    from_database: Annotated[
        bool,
        typer.Option("--from-database", help="The topic lacks orders (it is younger): have them captured once more."),
    ] = False,
) -> None:
    """Empty the projection and read the result topic again from its beginning; services see it fill up.

    Exit 0 once the projector runs again, 1 where it does not start or Kafka gives no answer in time,
    3 where a node does not answer.
    """
    from lakeproof_shop.projector.rebuild import rebuild as run

    run(load_stack(), say, from_database=from_database)
