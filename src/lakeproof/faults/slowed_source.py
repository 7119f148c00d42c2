"""The support service reaches one source of its timelines by a slow road; everybody else reaches it as before.

A proxy that answers late stands on that road for the time of the fault, and support is restarted with its address.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.errors import NotReady
from lakeproof.faults.fault import Fault, Sign
from lakeproof.faults.roads import build_road, end_roads, find_roads, listen, url_of
from lakeproof.probes.support import HEALTH_SECONDS, SERVICE, late_sources, variable_of
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.handed_variable import hand_variable, handed_variables
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file

LOOK_SECONDS = 5.0


class SlowedSource(Arguments):
    """`source`: the slowed one. `seconds`: how late each answer is; support gives a source up after 2.5 s."""

    source: Literal["order", "payment", "fulfillment"] = "fulfillment"
    seconds: float = Field(3.0, gt=2 * HEALTH_SECONDS, le=60)


def inject(stack: Stack, arguments: SlowedSource) -> None:
    """Start the proxy unless it is there, and restart support with its address."""
    our_processes(stack, f"restart {SERVICE}")
    variable = variable_of(arguments.source)
    before = handed_variables(stack, SERVICE).get(variable)
    known = _urls(stack, arguments)
    url = next(iter(_roads(stack, arguments).values()), None) or _build(stack, arguments)
    if before != url:
        if before is not None and before not in known:
            write_file(_note(stack, arguments, "before"), before, mode=0o600)  # there may be a password in it
        hand_variable(stack, SERVICE, variable, url)


def remove(stack: Stack, arguments: SlowedSource) -> None:
    """Restart support with its old address unless it has that, and end the proxy.

    The proxy may be gone already, so its address is noted. Raises: NotReady while support has no process, since the
    supervisor would start it with the proxy's address again.
    """
    roads, variable, client = _roads(stack, arguments), variable_of(arguments.source), SupervisorClient(stack)
    urls = _urls(stack, arguments)
    if urls and client.running():
        if client.row(SERVICE).pid is None:
            raise NotReady(
                "it has no process, so its addresses cannot be looked at",
                where=SERVICE,
                next_action=f"lakeproof up {SERVICE}, then lakeproof fault remove {FAULT.id}",
            )
        before = read_if_there(_note(stack, arguments, "before"))
        has = handed_variables(stack, SERVICE).get(variable)
        # A repair gives support the stack's own address, since it cannot know the old one.
        if has in urls or (has is None and before is not None):
            hand_variable(stack, SERVICE, variable, before)
    end_roads(roads)
    for what in ("", "before"):
        _note(stack, arguments, what).unlink(missing_ok=True)


def sign(stack: Stack, arguments: SlowedSource) -> Sign:
    """Support itself says that this source does not answer in time, and the source answers us at once."""
    late = late_sources(stack, LOOK_SECONDS)
    return Sign(f"{arguments.source}-service" in str(late).split(), f"late for {SERVICE}: {late}")


def _roads(stack: Stack, arguments: SlowedSource) -> dict[int, str]:
    """The proxies of this fault: pid → URL."""
    return find_roads(stack, arguments.source)


def _urls(stack: Stack, arguments: SlowedSource) -> set[str]:
    """The URLs of the fault's proxies, also of one that was killed."""
    return {*_roads(stack, arguments).values(), *(read_if_there(_note(stack, arguments)) or "").split()}


def _note(stack: Stack, arguments: SlowedSource, what: str = "") -> Path:
    """Keeps the proxies' URLs, since a killed proxy tells nobody. what="before": keeps support's old address."""
    return stack.data_dir(SERVICE) / "-".join(("slow-road", arguments.source, *([what] if what else [])))


def _build(stack: Stack, arguments: SlowedSource) -> str:
    """Start the proxy; gives its URL."""
    with listen() as listening:
        url = url_of(listening)
        note = _note(stack, arguments)
        write_file(note, f"{read_if_there(note) or ''} {url}".strip())
        server = stack.host_port(f"{arguments.source}-service", "http")
        build_road(stack, arguments.source, listening, server, arguments.seconds, SERVICE)
    return url


FAULT = Fault(
    "slowed_source",
    "let the support service reach one source of its timelines by a slow road",
    inject,
    remove,
    sign,
    SlowedSource,
)
