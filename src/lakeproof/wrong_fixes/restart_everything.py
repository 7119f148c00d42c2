"""A wrong fix: restart every component. Shoppers are turned away, and a pause is kept through it all."""

from lakeproof.arguments import Arguments
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import State
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def typed(stack: Stack, arguments: Arguments) -> str:
    """The same by hand."""
    return "lakeproof down; lakeproof up"


def stops(stack: Stack) -> list[str]:
    """Every component that runs. The supervisor's daemon is not a component."""
    client = our_processes(stack, "restart every component")
    return [row.name for row in client.ps() if row.state in (State.RUNNING, State.PAUSED)]


def run(stack: Stack, arguments: Arguments) -> str:
    """Stop every component that runs, then start all of these again."""
    client, names = our_processes(stack, "restart every component"), stops(stack)
    for name in names:
        client.stop(name)
    client.up(names)
    return f"restarted {len(names)} components"


WRONG_STEP = WrongStep("restart_everything", "restart every component (mends nothing)", typed, run, stops=stops)
