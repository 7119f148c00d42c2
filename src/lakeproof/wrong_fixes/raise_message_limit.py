"""A wrong fix: let each customer have as many messages as anybody sends. The limiter turns nothing down any more, and
a campaign goes to its customer all at once. Where it is the provider that refuses, nothing is mended at all.
"""

from collections.abc import Sequence

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.probes.notifications import SERVICE
from lakeproof.processes.environment import MESSAGE_LIMIT
from lakeproof.processes.handed_variable import (
    hand_variable,
    handed_variables,
    last_handed,
    start_by_hand,
    take_back_variable,
)
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


class RaiseMessageLimit(Arguments):
    """`messages`: notification_rate_limit of the notification service; no customer gets as many."""

    messages: int = Field(1_000_000, ge=1, le=1_000_000)


def typed(stack: Stack, arguments: RaiseMessageLimit) -> str:
    """The same by hand; `start` hands on what this shell has set."""
    start = start_by_hand(SERVICE, last_handed(stack, SERVICE) | {MESSAGE_LIMIT: str(arguments.messages)})
    return f"lakeproof stop {SERVICE}; {start}"


def stops(stack: Stack) -> Sequence[str]:
    """The notification service is restarted."""
    return [SERVICE]


def run(stack: Stack, arguments: RaiseMessageLimit) -> str:
    """Restart the service with it, and return once it is healthy; fine where it has it. Raises: LakeproofError."""
    our_processes(stack, f"restart {SERVICE}")
    if handed_variables(stack, SERVICE).get(MESSAGE_LIMIT) != str(arguments.messages):
        hand_variable(stack, SERVICE, MESSAGE_LIMIT, str(arguments.messages))
    return f"{SERVICE} lets a customer have {arguments.messages} messages in a window"


def undo(stack: Stack, arguments: RaiseMessageLimit) -> None:
    """Restart it with the stack's own setting; fine where it has that."""
    take_back_variable(stack, SERVICE, MESSAGE_LIMIT)


WRONG_STEP = WrongStep(
    "raise_message_limit",
    "let each customer have any number of messages (mends nothing)",
    typed,
    run,
    RaiseMessageLimit,
    undo,
    stops,
)
