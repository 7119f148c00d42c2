"""Give a Cassandra node that was away every row that it missed: `nodetool repair --full`.

The other nodes keep what an absent one misses as hints, and bring them when it is back. That is an effort, not a
promise: where another conditional write finishes one that was not yet committed, no hint is left (Paxos v2). A drill
found a row that no hint had brought, and this may be why. A repair compares digests of all rows between the nodes,
and copies what differs.
"""

from lakeproof.arguments import OfComponent
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.ring import nodetool, ring
from lakeproof.stack.engines.cassandra_config import ALL_NODES, NODES
from lakeproof.stack.stack import Stack
from lakeproof.unknown_name import unknown_name

REPAIR_SECONDS = 240.0  # a repair of all rows of a small shop takes some 15 s
UP_SECONDS = 30.0  # until two nodes see each other up, once both run


def typed(stack: Stack, arguments: OfComponent) -> str:
    """The same by hand."""
    return f"lakeproof ring repair {arguments.component}"


def run(stack: Stack, arguments: OfComponent) -> str:
    """Wait until that node and another one see every node up and normal, then compare and copy rows.

    Raises: InvalidInput where the component is no node, or somebody else's. DeadlineExpired, and nothing copied, if a
    node stays away or gives no answer: a repair needs every node that holds copies. CouldNotLook where it failed.
    """
    name = arguments.component
    if name not in ALL_NODES:
        raise unknown_name("node", name, ALL_NODES)
    if stack.settings.mode == "external":
        raise InvalidInput(
            "it is somebody else's node", where=name, next_action="on its machine: nodetool repair --full"
        )
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
    """Who is not up and normal as this node or another one sees it, or which of the two is silent; "" for nobody."""
    other = next(each for each in NODES if each != name)
    return "; ".join(told for asked in (name, other) if (told := _not_normal(stack, asked)))


def _not_normal(stack: Stack, asked: str) -> str:
    try:
        away = [node for node in ring(stack, ask=asked) if node.state != "UN"]
    except CouldNotLook as error:
        return f"{asked} gives no answer: {error.message}"
    return f"{asked} sees {', '.join(f'{node.name or node.address} {node.state}' for node in away)}" if away else ""


MITIGATION = Mitigation(
    "repair_node", "give a Cassandra node that was away every row that it missed", typed, run, OfComponent
)
