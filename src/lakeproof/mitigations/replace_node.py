"""Let an empty Cassandra node take the place of the dead one that had its name: for a node whose data are gone.

A node that lost its data may not simply come back: the ring would count copies on it that it does not have. So it
takes over the dead one's tokens and copies their rows from the others before it answers. It also has the dead one's
address, so Cassandra sends it no writes while it copies; once it has joined, a repair copies these writes as well.
"""

import shutil

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, LakeproofError, TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.repair_node import repair_rows
from lakeproof.mitigations.ring_turn import changing_the_ring
from lakeproof.probes.ring import RingNode, ring
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_config import ALL_NODES, NODES
from lakeproof.stack.stack import Stack
from lakeproof.unknown_name import unknown_name
from lakeproof.written import write_file

DOWN_SECONDS = 60.0  # a node that was killed is seen down after about 20 s
NORMAL_SECONDS = 30.0  # until another node sees the node up and normal, once the node sees itself so


class ReplaceNode(Arguments):
    """`node`: the component. `discard_data`: also replace a node that still has data, and throw these away."""

    node: str
    discard_data: bool = False


def typed(stack: Stack, arguments: ReplaceNode) -> str:
    """The same by hand."""
    return f"lakeproof ring replace {arguments.node}"


def run(stack: Stack, arguments: ReplaceNode) -> str:
    """Stop the node, let it join as the dead one's heir, and return once it is healthy and has every row (about a
    minute: it listens first). A run that was cut off once the node had data is continued: the repair is left to do.

    Raises: InvalidInput, before anything is stopped, where the name is no node, the node is leaving or still has
    data, another node is not up to copy from, or another clone started the stack. TerminalError where the earlier run
    left a node that cannot join. DeadlineExpired with its state where another node does not see it up and normal.
    TransientError where somebody else is changing the ring.
    """
    name = arguments.node
    if name not in ALL_NODES:
        raise unknown_name("node", name, ALL_NODES)
    client = our_processes(stack, f"replace {name}")
    client.require_ours()
    with changing_the_ring(stack, f"replace {name}"):
        return _replace(stack, client, arguments)


def _replace(stack: Stack, client: SupervisorClient, arguments: ReplaceNode) -> str:
    name = arguments.node
    if cassandra.leaving_mark(stack, name).exists():
        raise InvalidInput(
            "it was cut off while it left the ring", where=name, next_action=f"lakeproof ring scale {len(NODES)}"
        )
    # Asked before anything is stopped: are all nodes up that it would copy from?
    _others_up(stack, name)
    mark, has_data = cassandra.replace_mark(stack, name), cassandra.has_data(stack, name)
    if has_data and not arguments.discard_data and not mark.exists():
        raise InvalidInput(
            "it still has its data, and comes back by itself",
            where=name,
            next_action=f"lakeproof start {name}, then lakeproof ring repair {name}; --discard-data throws them away",
        )
    anew = not has_data or arguments.discard_data
    if anew:
        client.stop(name, watched=True)  # killed before the start below, it would else stay away unnoticed
        Deadline(DOWN_SECONDS).wait_for(
            f"the ring to see {name} down",
            lambda: None if any(node.up for node in _seen(stack, name)) else True,
            seen=lambda: "it is up",
            unseen_is_not_yet=True,
        )
        # The mark comes first: a node without data and without the mark would count as one that needs no repair.
        write_file(mark, "taken away once the node has joined and was repaired\n")
        discard_data(stack, name)
    try:
        client.start(name)
    except LakeproofError as error:
        if anew:
            raise
        raise TerminalError(
            f"it does not come up with what a replacement that was cut off left: {error.message}",
            where=name,
            next_action=f"lakeproof ring replace {name} --discard-data",
        ) from error
    repair_rows(stack, name)
    # The mark goes last: a node with data and without the mark counts as one that needs no repair.
    mark.unlink(missing_ok=True)
    _await_normal(stack, name)
    return f"replaced: {name} is UN"


def discard_data(stack: Stack, name: str) -> None:
    """Delete the node's data. They are renamed first: after a kill in the midst of it, the node's next start finds
    all or none. With its knowledge of the ring and without its rows, the node would be a member that lacks them.
    """
    storage = cassandra.storage_dir(stack, name)
    discarded = storage.with_name("storage.discarded")
    try:
        if discarded.exists():  # of a run that was cut off
            shutil.rmtree(discarded)
        if storage.exists():
            storage.rename(discarded)
            shutil.rmtree(discarded)
    except OSError as error:
        raise TerminalError(
            f"its data cannot be deleted: {error.strerror or error}",
            where=str(error.filename or storage),
            next_action="see to that folder, then repeat",
        ) from error


def _await_normal(stack: Stack, name: str) -> None:
    """Raises: DeadlineExpired with the state in which another node sees this one."""
    state = ""

    def look() -> bool | None:
        nonlocal state
        state = ", ".join(node.state for node in _seen(stack, name)) or "unknown to the ring"
        return True if state == "UN" else None

    try:
        Deadline(NORMAL_SECONDS).wait_for(
            f"{name} to be UN", look, every=1.0, seen=lambda: state, unseen_is_not_yet=True
        )
    except DeadlineExpired as error:
        raise DeadlineExpired(
            f"it was replaced and repaired, and was not seen up and normal (UN) within {NORMAL_SECONDS:g} s",
            last_seen=error.last_seen,
            where=name,
            next_action=f"lakeproof ring; lakeproof logs {name} says why; then lakeproof restart {name}",
        ) from error


def _others_up(stack: Stack, name: str) -> None:
    """Raises: InvalidInput where one of the others is away.

    A row that two of three nodes acknowledged may be missing on the third. A node that copied from that one alone
    would lack the row too, and the two would then be the majority that answers reads.
    """
    states = {node.name: node.state for node in _seen_by_others(stack, name)}
    others = (each for each in ALL_NODES if each != name and (each in NODES or each in states))
    if away := [each for each in others if states.get(each) != "UN"]:
        raise InvalidInput(
            f"{', '.join(away)} must be up to copy from",
            where=name,
            next_action="lakeproof ring shows it; start what is down first: lakeproof ps",
        )


def _seen(stack: Stack, name: str) -> list[RingNode]:
    """The node as another one sees it; none where the ring does not know it. Raises: CouldNotLook."""
    return [node for node in _seen_by_others(stack, name) if node.name == name]


def _seen_by_others(stack: Stack, name: str) -> list[RingNode]:
    """The ring as another node than this one sees it. Raises: CouldNotLook where none of them answers."""
    said: list[str] = []
    for other in (each for each in NODES if each != name):
        try:
            return ring(stack, ask=other)
        except CouldNotLook as error:
            said.append(error.message)
    raise CouldNotLook("; ".join(said), where="ring", next_action="start the other nodes first: lakeproof ps")


MITIGATION = Mitigation(
    "replace_node", "let an empty Cassandra node take the place of a dead one", typed, run, ReplaceNode
)
