"""A wrong fix: restart every component. Shoppers are turned away, and a pause is kept through it all."""

from lakeproof.arguments import Arguments
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import State
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def typed(stack: Stack, arguments: Arguments) -> str:
    """By hand."""
    return "lakeproof down; lakeproof up"


def run(stack: Stack, arguments: Arguments) -> str:
    """Stop every component that runs, the supervisor's daemon excepted, and start all of them again."""
    client = our_processes(stack, "restart every component")
    names = [row.name for row in client.ps() if row.state in (State.RUNNING, State.PAUSED)]
    for name in names:
        client.stop(name)
    client.up(names)
    return f"restarted {len(names)} components"


WRONG_STEP = WrongStep("restart_everything", "restart every component (mends nothing)", typed, run)
