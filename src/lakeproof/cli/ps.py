"""`lakeproof ps`: what runs, how it does, what it uses, and what a start-up waited for."""

from typing import Annotated

import typer

from lakeproof.cli.process_table import show


def ps(
    as_json: Annotated[bool, typer.Option("--json", help="data for scripts on stdout")] = False,
    slow: Annotated[
        bool, typer.Option("--slow", help="the chain of steps that the last start-up waited for")
    ] = False,
) -> None:
    """Name, state, health, pid, memory, CPU, restarts of every component that was started; main's freshness.

    Exit 0 also where the stack does not run; 3 when its supervisor died: what still runs is shown then.
    """
    show(as_json=as_json, slow=slow)
