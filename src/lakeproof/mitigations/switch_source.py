"""Switch a source of the support service's timelines off, or on again.

Off: timelines say that the source is off, and come at once. On again: support gets back the address that it had
before the source was switched off, or the stack's own where it had none. An address through which the source is late
is given up for the stack's own. Either restarts support, which reads its sources' addresses once, at its start.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from lakeproof.errors import TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named
from lakeproof.probes.reading import Value
from lakeproof.probes.support import SERVICE, late_sources, slow_sources, variable_of
from lakeproof.processes.handed_variable import (
    hand_variable,
    handed_variables,
    last_handed,
    start_by_hand,
    without_login,
)
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

LOOK_SECONDS = 5.0


class SwitchSource(Named):
    """`source`: which; without one, the sources that are late for support alone; if there are none and `to` is off,
    the slow ones. `to`: off, or on, which means off and on again. `only`: these sources alone (named.py).
    """

    source: Literal["", "order", "payment", "fulfillment"] = ""
    to: Literal["on", "off"] = "on"


def typed(stack: Stack, arguments: SwitchSource) -> str:
    """The same by hand; `start` hands on what this shell has set."""
    sources = (arguments.source or arguments.only or "SOURCE").split(",")
    had, to = last_handed(stack, SERVICE), dict[str, str | None]()
    for source in sources:
        variable = variable_of(source)
        to[variable] = "" if arguments.to == "off" else _before(stack, source, had.get(variable))
    return f"lakeproof stop {SERVICE}; {start_by_hand(SERVICE, had | to)}"


def run(stack: Stack, arguments: SwitchSource) -> str:
    """Switch the sources, and return once support is healthy. Safe to repeat; on and off undo each other.

    Raises: InvalidInput, CouldNotLook, TransientError; TerminalError where none was named and none is late, or only
    others are than the proposal named.
    """
    client = our_processes(stack, f"restart {SERVICE}")
    if client.row(SERVICE).pid is None:
        # Perhaps a run of this was cut off. Only a process can tell its addresses, and whether a source is late.
        client.start(SERVICE)
    late = [] if arguments.source else named(arguments, _late(stack, arguments.to))
    return "; ".join(
        _off(stack, source) if arguments.to == "off" else _on(stack, source, is_late=bool(late))
        for source in late or [arguments.source]
    )


def hold(stack: Stack, arguments: SwitchSource) -> Mapping[str, str]:
    """The sources that are late or slow now."""
    return {} if arguments.source else hold_to_found(arguments, lambda: _late(stack, arguments.to))


def _off(stack: Stack, source: str) -> str:
    """Switch the source off. An address that somebody set is noted first, since the process that knows it ends."""
    address = handed_variables(stack, SERVICE).get(variable_of(source))
    if address:
        write_file(_note(stack, source), address, mode=0o600)  # there may be a password in it
    elif address is None:
        _note(stack, source).unlink(missing_ok=True)
    hand_variable(stack, SERVICE, variable_of(source), "")
    return f"{source}: switched off"


def _on(stack: Stack, source: str, *, is_late: bool) -> str:
    """is_late: support was asked already, and says that the source is late."""
    address = handed_variables(stack, SERVICE).get(variable_of(source))
    if address and not is_late and f"{source}-service" not in str(late_sources(stack, LOOK_SECONDS)).split():
        return f"{source}: stays on at {without_login(address)}, where it is not late"
    noted = _before(stack, source, address)
    hand_variable(stack, SERVICE, variable_of(source), noted)
    _note(stack, source).unlink(missing_ok=True)
    before = f" (it was {without_login(address)})" if address else ""
    now = without_login(noted) if noted else "the stack's own address"
    return f"{source}: switched off and on again, at {now}{before}"


def _before(stack: Stack, source: str, address: str | None) -> str | None:
    """The source's address before it was switched off; None where that was the stack's own, or the source is not off.

    address: the present one, "" where the source is off. A note about a source that is on is outdated.
    """
    note = _note(stack, source)
    return note.read_text(encoding="utf-8") if address == "" and note.is_file() else None


def _note(stack: Stack, source: str) -> Path:
    """The file that keeps the address of a source while it is off."""
    return stack.data_dir(SERVICE) / f"switched-off-{source}"


def _late(stack: Stack, to: str) -> list[str]:
    """The sources that are late for support alone; if there are none and `to` is off, the slow ones. A slow source
    gains nothing from off and on again, which mends the road alone.

    Raises: CouldNotLook; TerminalError where there is none.
    """
    found = _sources(late_sources(stack, LOOK_SECONDS))
    if not found and to == "off":
        found = _sources(slow_sources(stack, LOOK_SECONDS))
    if not found:
        raise TerminalError(
            "no source is late for it alone" + (", and none is slow" if to == "off" else ""),
            where=SERVICE,
            next_action="name one: --arg source=fulfillment",
        )
    return found


def _sources(told: Value) -> list[str]:
    return [name.removesuffix("-service") for name in str(told).split() if name != "none"]


MITIGATION = Mitigation(
    "switch_source", "switch a source of timelines off, or off and on again", typed, run, SwitchSource, hold=hold
)
