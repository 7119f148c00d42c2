"""Give a Cassandra node that was away every row that it missed: `nodetool repair --full`.

The other nodes keep what an absent one misses as hints, and bring them when it is back. That is an effort, not a
promise: where another conditional write finishes one that was not yet committed, no hint is left (Paxos v2), and a
drill found such a gap. A repair compares digests of all rows between the nodes, and copies what differs.
"""

from lakeproof.arguments import OfComponent
from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.ring import RingNode, nodetool, ring
from lakeproof.stack.engines.cassandra_config import ALL_NODES, NODES
from lakeproof.stack.stack import Stack
from lakeproof.unknown_name import unknown_name

REPAIR_SECONDS = 240.0  # of a shop's stock it takes seconds
UP_SECONDS = 30.0  # until two nodes see each other up, once both run


def typed(stack: Stack, arguments: OfComponent) -> str:
    """The same by hand."""
    return f"lakeproof ring repair {arguments.component}"


def run(stack: Stack, arguments: OfComponent) -> str:
    """Wait until that node and another one see every node up and normal, then compare and copy rows.

    Raises: InvalidInput where it is no node. DeadlineExpired, and nothing was copied, where a node stays away: a
    repair needs every node that holds copies. CouldNotLook where no node answers, or the repair failed.
    """
    name = arguments.component
    if name not in ALL_NODES:
        raise unknown_name("node", name, ALL_NODES)
    deadline = Deadline(UP_SECONDS)
    while away := _away(stack, name):
        if deadline.expired:
            raise DeadlineExpired(
                "a repair needs every node up and normal (UN)",
                last_seen=away,
                where=name,
                next_action=f"start what is down (lakeproof ring shows it); then lakeproof ring repair {name}",
            )
        deadline.pause(1.0)
    repair_rows(stack, name)
    return f"repaired: {name} holds the same rows as the others"


def repair_rows(stack: Stack, name: str) -> None:
    """Compare the rows that the node holds with the other copies, in all keyspaces, and copy what differs, both ways.

    Raises: CouldNotLook where it fails, or takes over `REPAIR_SECONDS`.
    """
    nodetool(stack, name, "repair", "--full", seconds=REPAIR_SECONDS)


def _away(stack: Stack, name: str) -> str:
    """Who is not up and normal as that node, or another one, sees it; "" where all are. Raises: CouldNotLook."""
    other = next(each for each in NODES if each != name)
    return "; ".join(
        f"{asked} sees {', '.join(f'{node.name or node.address} {node.state}' for node in away)}"
        for asked in (name, other)
        if (away := _not_normal(ring(stack, ask=asked)))
    )


def _not_normal(nodes: list[RingNode]) -> list[RingNode]:
    return [node for node in nodes if node.state != "UN"]


MITIGATION = Mitigation(
    "repair_node", "give a Cassandra node that was away every row that it missed", typed, run, OfComponent
)
