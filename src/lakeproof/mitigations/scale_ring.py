"""Let a fourth Cassandra node join the ring, or leave it again.

To stop a node is not to scale back: the ring would go on counting copies on it. One that leaves hands its copies over
first; of one that is dead the others make them anew.
"""

import shutil

from lakeproof.arguments import Arguments
from lakeproof.errors import InvalidInput
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.ring import RingNode, nodetool, ring
from lakeproof.processes.client import OnEvent, SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_config import ALL_NODES, FURTHER, NODES
from lakeproof.stack.stack import Stack

# To hand a whole node's copies over; of a shop's stock it takes seconds.
STREAM_SECONDS = 480.0


class ScaleRing(Arguments):
    """`nodes`: how many in all, 3 or 4."""

    nodes: int


def typed(stack: Stack, arguments: ScaleRing) -> str:
    """The same by hand."""
    return f"lakeproof ring scale {arguments.nodes}"


def run(stack: Stack, arguments: ScaleRing) -> str:
    """Join or leave, return once the ring is of that size. Raises: InvalidInput before anything is changed."""
    return scale(stack, arguments.nodes)


def scale(stack: Stack, nodes: int, on_event: OnEvent = lambda _: None) -> str:
    """As `run`, with the supervisor's events."""
    if not len(NODES) <= nodes <= len(ALL_NODES):
        raise InvalidInput(
            f"it cannot have {nodes} nodes: three copies want {len(NODES)}, and there are ports for {len(ALL_NODES)}",
            where="ring",
            next_action=f"lakeproof ring scale {min(max(nodes, len(NODES)), len(ALL_NODES))}",
        )
    client = our_processes(stack, "scale the ring")
    wanted, surplus = FURTHER[: nodes - len(NODES)], FURTHER[nodes - len(NODES) :]
    done = [_leave(stack, client, name, on_event) for name in surplus]
    done += [_join(stack, client, name, on_event) for name in wanted]
    return "; ".join(each for each in done if each) or f"it has {nodes} nodes already"


def _join(stack: Stack, client: SupervisorClient, name: str, on_event: OnEvent) -> str:
    was_member = cassandra.has_data(stack, name)
    started = client.up([name], on_event)
    if was_member:
        return f"{name} was a member already" + (", and is up again" if started else "")
    # What the others held for it until now is of no use to anybody.
    for other in NODES:
        nodetool(stack, other, "cleanup", seconds=STREAM_SECONDS)
    return f"{name} joined"


def _leave(stack: Stack, client: SupervisorClient, name: str, on_event: OnEvent) -> str:
    """Safe to repeat, cut off anywhere: what the ring says decides what is still to be done."""
    nodes = _whole_ring(stack, name)
    it = next((node for node in nodes if node.name == name), None)
    if it is not None and it.up and it.state != "UJ":
        nodetool(stack, name, "decommission", seconds=STREAM_SECONDS)
    client.forget(name, on_event)
    if it is not None and not it.up:
        nodetool(stack, NODES[0], "removenode", it.host_id, seconds=STREAM_SECONDS)
    had_data = cassandra.storage_dir(stack, name).exists()
    # A node that left may not come back with what it had.
    shutil.rmtree(cassandra.storage_dir(stack, name), ignore_errors=True)
    return f"{name} left" if it is not None or had_data else ""


def _whole_ring(stack: Stack, but: str) -> list[RingNode]:
    """Raises: InvalidInput where one of the others is away: they are to take the copies over. CouldNotLook."""
    nodes = ring(stack)
    up = {node.name for node in nodes if node.state == "UN"}
    away = [name for name in NODES if name not in up]
    if away:
        raise InvalidInput(
            f"{', '.join(away)} cannot take over what {but} holds",
            where="ring",
            next_action="lakeproof ring shows it; start what is down first: lakeproof up cassandra-node3",
        )
    return nodes


MITIGATION = Mitigation("scale_ring", "let a fourth Cassandra node join the ring, or leave it", typed, run, ScaleRing)
