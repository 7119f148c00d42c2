"""`lakeproof logs`: show a component's log, or search the logs of all."""

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakeproof.cli.output import print_json, say
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.stack.components import find
from lakeproof.stack.stack import Stack, load_stack

if TYPE_CHECKING:
    from lakeproof.observability.logs.query import Query
    from lakeproof.observability.logs.search import Hit

FOLLOW_PAUSE_SECONDS = 0.25
LINES, ENTRIES = 50, 1000
SUPERVISOR = "supervisor"  # it has a log, although it is no component
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds_of(since: str) -> float:
    """The seconds of a time span such as 90s, 15m, 2h, 1d. Raises: InvalidInput."""
    found = re.fullmatch(r"(\d{1,9})([smhd])", since)
    if found is None:
        raise InvalidInput("not a time span", where=since, next_action="e.g. 90s, 15m, 2h, 1d")
    return float(int(found[1]) * _UNITS[found[2]])


def search(stack: Stack, query: "Query", limit: int, since: str | None, files: bool) -> "list[Hit]":
    """The newest entries, from the log store, or from the log files where the store is not part of the stack or does
    not answer, which is said. Raises: CouldNotLook.
    """
    from lakeproof.observability.logs.push import StoreAway
    from lakeproof.observability.logs.search import in_files, in_store, missing_lately

    seconds = seconds_of(since) if since is not None else None
    if not files and stack.has_endpoint("victorialogs"):
        try:
            found = in_store(stack, query, limit, seconds)
            if stack.settings.mode == "local" and (why := missing_lately(stack)):
                say(f"{why}: the newest entries may be missing (--files searches the log files)")
            return found
        except StoreAway as error:
            say(f"{error.message}: the log files are searched")
    if stack.settings.mode == "external":
        raise CouldNotLook(
            "its log files lie elsewhere" if files else "its log files lie elsewhere, and no log store answers",
            where=f"stack {stack.name}",
            next_action="leave out --files"
            if files
            else "set the endpoint victorialogs (docs/external.md), or look whether it is up",
        )
    return in_files(stack.state_dir / "log", query, limit, seconds)


def follow_all(stack: Stack, query: "Query") -> "Iterator[Hit]":
    """The entries that come from now on: of our own stack from its files, which have them first; of an external stack
    from its log store.
    """
    from lakeproof.observability.logs.search import follow_files, follow_store

    if stack.settings.mode == "external":
        return follow_store(stack, query)
    say("following the log files, Ctrl-C ends it")
    return follow_files(stack.state_dir / "log", query)


def logs(
    name: Annotated[str | None, typer.Argument(help="a component, or: supervisor")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on with what is written from now on")] = False,
    lines: Annotated[
        int | None,
        typer.Option(
            "-n", "--lines", min=0, max=100_000, help=f"with NAME: how many of the last lines; default {LINES}"
        ),
    ] = None,
    query: Annotated[
        str | None,
        typer.Option("--query", help="""e.g. '{container="kafka"} error' or '{level="error"} |~ "took \\d+"'"""),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="with --query: only entries this new: 90s, 15m, 2h, 1d; default: all"),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", min=1, max=1_000_000, help=f"with --query: how many of the newest entries; default {ENTRIES}"
        ),
    ] = None,
    files: Annotated[bool, typer.Option("--files", help="with --query: search the log files")] = False,
    render: Annotated[
        str | None, typer.Option("--render", help="loki or victorialogs: print the query for it, and ask nobody")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the entries as JSON; with -f one a line")] = False,
) -> None:
    """Show a component's log, or search the logs of all with --query.

    --query takes a selector on `container`, `service` and `level` (=, !=, =~, !~; {} for all), then words that
    must all occur (in any case; "in quotes" with blanks; !word must not occur; |~ "…" and !~ "…" are regular
    expressions). A stack trace is one entry with its message. VictoriaLogs is asked where it runs (lakeproof up
    log-shipper), and a Loki where the settings name one; else the log files are searched in the same way, rotated
    parts included, and it is said. -f follows the files (of somebody else's stack its VictoriaLogs).
    """
    stack = load_stack()
    if (name is None) == (query is None):
        raise InvalidInput("give a NAME or --query", next_action="lakeproof logs kafka -n 20")
    if query is not None:
        if lines is not None:
            raise InvalidInput("goes with NAME", where="--lines", next_action="--limit, with a query")
        _search(stack, query, follow, since, limit or ENTRIES, files, render, as_json)
        return
    assert name is not None
    if limit is not None:
        raise InvalidInput("goes with --query", where="--limit", next_action="-n, with a NAME")
    if since is not None or files or render is not None:
        raise InvalidInput("goes with --query", where="--since, --files, --render", next_action="leave it out")
    if follow and as_json:
        raise InvalidInput("with NAME it does not go with --json", where="--follow", next_action="leave one out")
    if name != SUPERVISOR:
        find(name)
    _show(stack, name, LINES if lines is None else lines, follow, as_json)


def _search(
    stack: Stack,
    text: str,
    follow: bool,
    since: str | None,
    limit: int,
    files: bool,
    render: str | None,
    as_json: bool,
) -> None:
    from lakeproof.observability.logs.query import RENDERINGS, parse

    query = parse(text)
    if render is not None:
        if render not in RENDERINGS:
            raise InvalidInput(f"no log store {render!r}", where="--render", next_action=" or ".join(RENDERINGS))
        print(RENDERINGS[render](query))
    elif follow:
        if since is not None:
            raise InvalidInput("it begins now", where="--follow", next_action="leave out --since")
        for hit in follow_all(stack, query):
            if as_json:
                print(json.dumps(asdict(hit), ensure_ascii=False), flush=True)
            else:
                print(f"{hit.container} | {hit.line}", flush=True)
    else:
        found = search(stack, query, limit, since, files)
        if as_json:
            print_json([asdict(hit) for hit in found])
        else:
            for hit in found:
                print(f"{hit.container} | {hit.line}")
        if len(found) == limit:
            say(f"the newest {limit}; --limit gives more")


def _show(stack: Stack, name: str, lines: int, follow: bool, as_json: bool) -> None:
    from lakeproof.processes import logfile

    path = stack.log_path(name)
    if not path.exists() and stack.settings.mode == "external":
        raise CouldNotLook(
            "its log lies where it runs",
            where=f"{name} of stack {stack.name} (mode external)",
            next_action=f"""lakeproof logs --query '{{container="{name}"}}', where victorialogs has an endpoint""",
        )
    if not path.exists() and not follow:
        up = "lakeproof up" if name == SUPERVISOR else f"lakeproof up {name}"
        raise CouldNotLook("no log yet", where=name, next_action=up)
    if follow:
        _follow(path, lines)
    elif as_json:
        print_json([{"container": name, "line": line} for line in logfile.tail(path, lines)])
    else:
        for line in logfile.tail(path, lines):
            print(line)


def _follow(path: Path, lines: int) -> None:
    """Print the last lines and then the new ones, all from one reading, so that no line is missing or comes twice."""
    from lakeproof.processes import logfile

    begins, end = logfile.span(path)
    start = max(begins, end - logfile.tail_bytes(lines))
    found = logfile.follow(path, start)
    if start > begins:
        next(found)  # the first line was cut
    for line in deque(takewhile(lambda line: line is not None, found), maxlen=lines):
        print(line)
    say(f"following {path}, Ctrl-C ends it")
    until_interrupted = Deadline(float("inf"))
    for new in found:
        if new is None:
            until_interrupted.pause(FOLLOW_PAUSE_SECONDS)
        else:
            print(new, flush=True)
