"""`lakeproof demo`: the whole story once: an incident on real engines, found, repaired and proven; then all stops."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from lakeproof.cli.drill import drill
from lakeproof.cli.output import say
from lakeproof.stack.stack import load_stack

SCENARIO = "replication-lag"


def demo(
    scenario: Annotated[str, typer.Argument(help="which incident to show")] = SCENARIO,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="of the shoppers' calls")] = 7,
    report: Annotated[Path | None, typer.Option(help="folder for report.json, report.md, journal.json")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave the stack running afterwards")] = False,
) -> None:
    """Start real engines, let shoppers buy, break one thing, and watch it found, repaired and proven.

    Runs one drill from start to end: alert → incident → diagnosis → repair → every acknowledged order compared in the
    shoppers' ledger, the database and the lake → RCA. What it started it stops again, also after Ctrl-C; a stack that
    was running before goes on, with what the drill needed besides. Exit 0 only where the verdict is passed.
    """
    from lakeproof.processes.client import SupervisorClient

    client = SupervisorClient(load_stack())
    was_running = client.running()
    say("Lakeproof demo: one incident on real engines, from the fault to verified data.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        drill(scenario, seed=seed, report=report)
    finally:
        if keep or was_running:
            say("the stack is left running; `lakeproof ps` shows it, `lakeproof down` stops it")
        else:
            say("stopping what was started …")
            stopped = client.down(lambda event: None)
            say(f"stopped {len(stopped)} components; nothing is left running")
