"""Switch a source of the support service's timelines off, or on again at the stack's own address.

Off: timelines say that the source is off, and come at once. On again: support asks the stack's own service, whatever
address it was started with. Both restart support, which reads its sources' addresses once, at its start.
"""

from typing import Literal

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.support import SERVICE, late_sources, variable_of
from lakeproof.processes.handed_address import hand_address
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 5.0


class SwitchSource(Arguments):
    """`source`: which; without one, the one that is late for support alone. `to`: on is off and on again."""

    source: Literal["", "order", "payment", "fulfillment"] = ""
    to: Literal["on", "off"] = "on"


def typed(stack: Stack, arguments: SwitchSource) -> str:
    """The same by hand; `start` hands on what this shell has set."""
    off = f"{variable_of(arguments.source or 'SOURCE')}= " if arguments.to == "off" else ""
    return f"lakeproof stop {SERVICE}; {off}lakeproof start {SERVICE}"


def run(stack: Stack, arguments: SwitchSource) -> str:
    """Switch it, and return once support is healthy. Safe to repeat; each undoes the other."""
    our_processes(stack, f"restart {SERVICE}")
    sources = [arguments.source] if arguments.source else _late(stack)
    for source in sources:
        hand_address(stack, SERVICE, variable_of(source), "" if arguments.to == "off" else None)
    return f"{', '.join(sources)}: switched {'off' if arguments.to == 'off' else 'off and on again'}"


def _late(stack: Stack) -> list[str]:
    """Raises: CouldNotLook; TerminalError where none is late."""
    found = [name.removesuffix("-service") for name in str(late_sources(stack, LOOK_SECONDS)).split()]
    if found in ([], ["none"]):
        raise TerminalError(
            "no source is late for it alone", where=SERVICE, next_action="name one: --arg source=fulfillment"
        )
    return found


MITIGATION = Mitigation(
    "switch_source", "switch a source of timelines off, or off and on again", typed, run, SwitchSource
)
