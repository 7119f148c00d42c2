"""The processes of a stack that is ours to kill, stop and start; somebody else's never are."""

from lakeproof.errors import InvalidInput
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack


def our_processes(stack: Stack, what: str) -> SupervisorClient:
    """The supervisor of these processes; `what` is to be done to them, for the message.

    Raises: InvalidInput for a stack in mode "external".
    """
    if stack.settings.mode == "external":
        raise InvalidInput(
            f"will not {what}: its processes are somebody else's",
            where=f"stack {stack.name} (mode external)",
            next_action="do it where they run; faults by REST and SQL work from here (lakeproof fault list)",
        )
    return SupervisorClient(stack)
