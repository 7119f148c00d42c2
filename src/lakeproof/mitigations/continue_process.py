"""Let a component's processes go on that hang under SIGSTOP."""

from lakeproof.arguments import Arguments
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack


class ContinueProcess(Arguments):
    """`component`: whose processes."""

    component: str


def typed(stack: Stack, arguments: ContinueProcess) -> str:
    """By the pid that `lakeproof ps` shows."""
    return f"kill -CONT $(lakeproof ps --json | jq '.[] | select(.name==\"{arguments.component}\").pid')"


def run(stack: Stack, arguments: ContinueProcess) -> str:
    """Send SIGCONT; fine where nothing hangs."""
    sent = our_processes(stack, f"continue {arguments.component}").kill(arguments.component, "CONT")
    return f"SIGCONT sent to {sent} processes of {arguments.component}"


MITIGATION = Mitigation("continue_process", "send SIGCONT to a component's processes", typed, run, ContinueProcess)
