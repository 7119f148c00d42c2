"""Restart the inventory service with the stack's own reservation time, where another one is too short."""

from lakeproof.arguments import Arguments
from lakeproof.errors import CouldNotLook
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.inventory import SERVICE, setting
from lakeproof.processes.environment import RESERVATION_TTL
from lakeproof.processes.handed_variable import hand_variable, handed_variables, last_handed, start_by_hand
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 3.0


def typed(stack: Stack, arguments: Arguments) -> str:
    """The same by hand. `start` hands on what this shell has set, so the variable must not be set there."""
    start = start_by_hand(SERVICE, last_handed(stack, SERVICE) | {RESERVATION_TTL: None})
    return f"unset {RESERVATION_TTL}; lakeproof stop {SERVICE}; {start}"


def run(stack: Stack, arguments: Arguments) -> str:
    """Restart the service, and return once it is healthy and tells its setting; safe where it has the stack's own. A
    service without a process is started with the stack's setting: a run of this may have been cut off, and the
    supervisor still has the short one.

    Raises: CouldNotLook where the service does not tell its setting.
    """
    client = our_processes(stack, f"restart {SERVICE}")
    before = handed_variables(stack, SERVICE).get(RESERVATION_TTL)
    if before is not None or client.row(SERVICE).pid is None:
        hand_variable(stack, SERVICE, RESERVATION_TTL, None)
    now = setting(stack, LOOK_SECONDS)
    if now is None:
        raise CouldNotLook("it does not tell its setting", where=SERVICE, next_action=f"lakeproof logs {SERVICE}")
    if before is None:
        return f"reservation_ttl_seconds of {SERVICE} is {now:g} s, as the stack's settings say"
    return f"reservation_ttl_seconds of {SERVICE} was {before} s, is {now:g} s"


MITIGATION = Mitigation(
    "restore_setting", "restart the inventory service with the stack's own reservation time", typed, run
)
