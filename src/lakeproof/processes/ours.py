"""Refuses to touch the processes of an external stack: only our own stack's may be killed, stopped and started."""

from lakeproof.errors import InvalidInput
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack


def our_processes(stack: Stack, what: str) -> SupervisorClient:
    """The supervisor of the stack's processes. `what`: what is to be done to them, for the error message.

    Raises: InvalidInput for a stack in mode "external".
    """
    if stack.settings.mode == "external":
        raise InvalidInput(
            f"will not {what}: its processes are somebody else's",
            where=f"stack {stack.name} (mode external)",
            next_action="do it where they run; faults by REST and SQL work from here (lakeproof fault list)",
        )
    return SupervisorClient(stack)
