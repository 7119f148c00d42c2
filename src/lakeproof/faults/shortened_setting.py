"""The inventory service is started with a setting that is far too short: it gives customers' goods back too early.

The table's own TTL is as it was, so a look at the table shows nothing.
"""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.inventory import SERVICE, setting
from lakeproof.processes.environment import RESERVATION_TTL
from lakeproof.processes.handed_variable import hand_variable, handed_variables, take_back_variable
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 3.0


class ShortenedSetting(Arguments):
    """`seconds`: reservation_ttl_seconds of the inventory service alone."""

    seconds: int = Field(30, ge=1, le=86_400)


def inject(stack: Stack, arguments: ShortenedSetting) -> None:
    """Restart the service with it; fine where it has it."""
    our_processes(stack, f"restart {SERVICE}")
    if handed_variables(stack, SERVICE).get(RESERVATION_TTL) != str(arguments.seconds):
        hand_variable(stack, SERVICE, RESERVATION_TTL, str(arguments.seconds))


def remove(stack: Stack, arguments: ShortenedSetting) -> None:
    """Restart it with the stack's own setting; fine where it has that, or was never started."""
    take_back_variable(stack, SERVICE, RESERVATION_TTL)


def sign(stack: Stack, arguments: ShortenedSetting) -> Sign:
    """The service itself tells the short setting."""
    found = setting(stack, LOOK_SECONDS)
    return Sign(found == arguments.seconds, f"reservation_ttl_seconds of {SERVICE} is {found} s")


FAULT = Fault(
    "shortened_setting",
    "start the inventory service with a reservation time that is far too short",
    inject,
    remove,
    sign,
    ShortenedSetting,
)
