"""Let a fourth Cassandra node join the ring, or leave it again.

To stop a node is not to scale back: the ring would go on counting copies on it. A node that leaves hands its copies
over first. The copies of a dead node are made anew, each from one other copy, and then all copies are compared.
"""

import shutil

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.repair_node import repair_rows
from lakeproof.mitigations.ring_turn import changing_the_ring
from lakeproof.probes.ring import RingNode, nodetool, ring
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.supervisor import OnEvent
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_config import ALL_NODES, FURTHER, NODES
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

# The most for handing over a whole node's copies; those of a shop's stock take seconds.
STREAM_SECONDS = 480.0


class ScaleRing(Arguments):
    """`nodes`: how many in all, 3 or 4."""

    nodes: int


def typed(stack: Stack, arguments: ScaleRing) -> str:
    """The same by hand."""
    return f"lakeproof ring scale {arguments.nodes}"


def run(stack: Stack, arguments: ScaleRing) -> str:
    """Let a node join or leave; return once the ring has that size. Raises: InvalidInput before anything is changed,
    also where another clone started the stack: its nodes and their data are not ours to take out. TransientError
    where somebody else is changing the ring.
    """
    return scale(stack, arguments.nodes)


def scale(stack: Stack, nodes: int, on_event: OnEvent = lambda _: None) -> str:
    """As `run`. on_event: hears the supervisor's events."""
    if not len(NODES) <= nodes <= len(ALL_NODES):
        raise InvalidInput(
            f"it cannot have {nodes} nodes: three copies want {len(NODES)}, and there are ports for {len(ALL_NODES)}",
            where="ring",
            next_action=f"lakeproof ring scale {min(max(nodes, len(NODES)), len(ALL_NODES))}",
        )
    client = our_processes(stack, "scale the ring")
    client.require_ours()
    wanted = FURTHER[: nodes - len(NODES)]
    with changing_the_ring(stack, f"scale {nodes}"):
        # A node whose leaving was cut off can only go on leaving, and then join as a new one.
        left = [name for name in FURTHER if name not in wanted or cassandra.leaving_mark(stack, name).exists()]
        done = [_leave(stack, client, name, on_event) for name in left]
        done += [_join(stack, client, name, on_event) for name in wanted]
    return "; ".join(each for each in done if each) or f"it has {nodes} nodes already"


def _join(stack: Stack, client: SupervisorClient, name: str, on_event: OnEvent) -> str:
    mark = cassandra.joining_mark(stack, name)
    was_member = cassandra.has_data(stack, name) and not mark.exists()
    if not was_member:
        write_file(mark, "taken away once the others have dropped what is its\n")
    started = client.up([name], on_event)
    if was_member:
        return f"{name} was a member already" + (", and is up again" if started else "")
    # The other nodes still hold copies that are this node's now, of no use to anybody.
    for other in NODES:
        nodetool(stack, other, "cleanup", seconds=STREAM_SECONDS)
    mark.unlink(missing_ok=True)
    return f"{name} joined"


def _leave(stack: Stack, client: SupervisorClient, name: str, on_event: OnEvent) -> str:
    """Have the node leave. Safe to repeat after a cut at any point: the ring and the marks say what is left to do."""
    storage, mark = cassandra.storage_dir(stack, name), cassandra.leaving_mark(stack, name)
    nodes = _whole_ring(stack, name)
    it = next((node for node in nodes if node.name == name), None)
    if it is None and not storage.exists() and not mark.exists():
        return ""
    write_file(mark, "taken away once the node has left and its data are deleted\n")
    if it is not None and it.up and it.state != "UJ":
        nodetool(stack, name, "decommission", seconds=STREAM_SECONDS)
        # While an earlier decommission is under way, nodetool returns at once; the node must not be stopped then.
        Deadline(STREAM_SECONDS).wait_for(
            f"{name} to have left",
            lambda: True if all(node.name != name for node in ring(stack)) else None,
            every=1.0,
            seen=lambda: "the ring still has it",
            unseen_is_not_yet=True,
        )
    client.forget(name, on_event)
    if it is not None and not it.up:
        nodetool(stack, NODES[0], "removenode", it.host_id, seconds=STREAM_SECONDS)
    if it is None or not it.up:
        # Each new holder copied from one node alone, which may lack a row that the dead one and a third acknowledged:
        # then two of three lack it. After a run that was cut off nobody knows any more how the node left the ring.
        repair_rows(stack, NODES[0])
    # A node that left may not come back with its old data: the mark goes last.
    if storage.exists():
        shutil.rmtree(storage)
    cassandra.joining_mark(stack, name).unlink(missing_ok=True)
    mark.unlink(missing_ok=True)
    return f"{name} left"


def _whole_ring(stack: Stack, but: str) -> list[RingNode]:
    """The ring. Raises: InvalidInput where one of the others is away, for they take the copies over. CouldNotLook."""
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
