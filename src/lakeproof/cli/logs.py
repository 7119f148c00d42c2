"""`lakeproof logs`: show a component's log, or search the logs of all."""

from typing import Annotated

import typer

from lakeproof.cli.output import print_json, say
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput

FOLLOW_PAUSE_SECONDS = 0.25
SUPERVISOR = "supervisor"  # has a log and is no component


def add_to(app: typer.Typer) -> None:
    """The command."""

    @app.command()
    def logs(
        name: Annotated[str | None, typer.Argument(help="a component, or: supervisor")] = None,
        follow: Annotated[
            bool, typer.Option("-f", "--follow", help="go on with what is written from now on")
        ] = False,
        lines: Annotated[
            int, typer.Option("-n", "--lines", min=0, max=100_000, help="so many of the last lines")
        ] = 50,
        query: Annotated[
            str | None,
            typer.Option("--query", help="""e.g. '{container="kafka"} error' or '{container=~"flink-.*"}'"""),
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="the lines as JSON on stdout; not with --follow")
        ] = False,
    ) -> None:
        """Show a component's log, or search the logs of all with --query.

        --query takes a selector on `container` (=, !=, =~, !~; {} for all), then words that must all occur (in any
        case; "in quotes" with blanks; !word must not occur). It reads the log files themselves, older rotated parts
        included; a log store (VictoriaLogs, Loki) is not part of this version.
        """
        from lakeproof.processes import logfile, logquery
        from lakeproof.stack.components import find
        from lakeproof.stack.stack import load_stack

        stack = load_stack()
        if (name is None) == (query is None):
            raise InvalidInput("give a NAME or --query", next_action="lakeproof logs kafka -n 20")
        if follow and (as_json or query is not None):
            raise InvalidInput("goes with NAME alone", where="--follow", next_action="leave out --json or --query")
        if query is not None:
            hits = logquery.search(stack.state_dir / "log", logquery.parse(query))
            if as_json:
                print_json([{"container": hit.container, "line": hit.line} for hit in hits])
                return
            for hit in hits:
                print(f"{hit.container} | {hit.line}")
            return
        assert name is not None
        if name != SUPERVISOR:
            find(name)
        path = stack.log_path(name)
        if not path.exists() and not follow:
            up = "lakeproof up" if name == SUPERVISOR else f"lakeproof up {name}"
            raise CouldNotLook("no log yet", where=name, next_action=up)
        start = path.stat().st_size if path.exists() else 0
        last = logfile.tail(path, lines)
        if as_json:
            print_json([{"container": name, "line": line} for line in last])
            return
        for line in last:
            print(line)
        if follow:
            say(f"following {path}, Ctrl-C ends it")
            until_interrupted = Deadline(float("inf"))
            for new in logfile.follow(path, start):
                if new is None:
                    until_interrupted.pause(FOLLOW_PAUSE_SECONDS)
                else:
                    print(new, flush=True)
