"""The inventory service is started with a setting that is far too short: it gives customers' goods back too early.

The table's own TTL is as it was, so a look at the table shows nothing. The value that the service was started with is
noted first, since somebody may have given it a time of its own.
"""

from pathlib import Path

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.inventory import SERVICE, setting
from lakeproof.processes.environment import RESERVATION_TTL
from lakeproof.processes.handed_variable import lend_variable, take_back_variable
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 3.0


class ShortenedSetting(Arguments):
    """`seconds`: reservation_ttl_seconds of the inventory service alone."""

    seconds: int = Field(30, ge=1, le=86_400)


def inject(stack: Stack, arguments: ShortenedSetting) -> None:
    """Restart the service with the short setting; safe where it has it."""
    lend_variable(stack, SERVICE, RESERVATION_TTL, str(arguments.seconds), _note(stack))


def remove(stack: Stack, arguments: ShortenedSetting) -> None:
    """Restart the service with its old setting; safe where it has that, or was never started."""
    take_back_variable(stack, SERVICE, RESERVATION_TTL, str(arguments.seconds), _note(stack))


def sign(stack: Stack, arguments: ShortenedSetting) -> Sign:
    """The service itself tells the short setting."""
    found = setting(stack, LOOK_SECONDS)
    return Sign(found == arguments.seconds, f"reservation_ttl_seconds of {SERVICE} is {found} s")


def _note(stack: Stack) -> Path:
    """Keeps the value that the service was started with before."""
    return stack.data_dir(SERVICE) / "before-shortened_setting"


FAULT = Fault(
    "shortened_setting",
    "start the inventory service with a reservation time that is far too short",
    inject,
    remove,
    sign,
    ShortenedSetting,
)
