"""`lakeproof scale`: run several processes of a component that can have them."""

from typing import Annotated

import typer

from lakeproof.cli.output import print_json, say
from lakeproof.cli.up import Progress
from lakeproof.stack.replicas import family_of
from lakeproof.stack.stack import load_stack


def scale(
    name: Annotated[str, typer.Argument(help="flink-taskmanager, connect or trino")],
    count: Annotated[int, typer.Argument(help="how many in all", metavar="N")],
    as_json: Annotated[bool, typer.Option("--json", help="its rows of `ps --json` afterwards")] = False,
) -> None:
    """Run N processes of a component: NAME, NAME-2, NAME-3; ends when all are healthy, with what they need.

    Scaling back ends the highest numbers. A component that stays one says why.
    """
    from lakeproof.processes.client import SupervisorClient

    client = SupervisorClient(load_stack())
    progress = Progress()
    started, ended = client.scale(name, count, progress)
    say(f"{progress.seconds:6.1f} s  {name}: {count}; started {', '.join(started) or 'nothing'}")
    replicas = client.components[name].replicas
    if ended and replicas is not None:
        say(f"ended {', '.join(ended)}: {replicas.ending}")
    if as_json:
        rows = [row for row in client.ps() if family_of(row.name, client.components) == name]
        print_json([row.to_json() for row in rows])
