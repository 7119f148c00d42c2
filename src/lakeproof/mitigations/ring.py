"""Repairs of Cassandra's ring: a node's rows, a node in the place of a dead one, one node more or less."""

import shutil

from lakeproof.arguments import OfComponent
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, LakeproofError, TerminalError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.ring_turn import changing_the_ring
from lakeproof.probes.ring import RingNode, nodetool, ring
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.supervisor import OnEvent
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_config import ALL_NODES, FURTHER, NODES
from lakeproof.stack.stack import Stack
from lakeproof.unknown_name import unknown_name
from lakeproof.written import write_file

REPAIR_SECONDS = 240.0

# a repair of all rows of a small shop takes some 15 s
UP_SECONDS = 30.0


class RepairNode(OfComponent, Mitigation):
    """Give a Cassandra node that was away every row that it missed.

    Give a Cassandra node that was away every row that it missed: `nodetool repair --full`.

    The other nodes keep what an absent one misses as hints, and bring them when it is back. That is an effort, not a
    promise: where another conditional write finishes one that was not yet committed, no hint is left (Paxos v2). A
    drill found a row that no hint had brought, and this may be why. A repair compares digests of all rows between
    the nodes, and copies what differs.
    """

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return f"lakeproof ring repair {self.component}"

    def run(self, stack: Stack) -> str:
        """Wait until that node and another one see every node up and normal, then compare and copy rows.

        Raises: InvalidInput where the component is no node, or somebody else's. DeadlineExpired, and nothing copied,
        if a node stays away or gives no answer: a repair needs every node that holds copies. CouldNotLook where it
        failed.
        """
        name = self.component
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


DOWN_SECONDS = 60.0

# a node that was killed is seen down after about 20 s
NORMAL_SECONDS = 30.0


# until another node sees the node up and normal, once the node sees itself so
class ReplaceNode(Mitigation):
    """Let an empty Cassandra node take the place of a dead one.

    Let an empty Cassandra node take the place of the dead one that had its name: for a node whose data are gone.

    A node that lost its data may not simply come back: the ring would count copies on it that it does not have. So
    it takes over the dead one's tokens and copies their rows from the others before it answers. It also has the dead
    one's address, so Cassandra sends it no writes while it copies; once it has joined, a repair copies these writes
    as well.

    `node`: the component. `discard_data`: also replace a node that still has data, and throw these away.
    """

    node: str
    discard_data: bool = False

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return f"lakeproof ring replace {self.node}"

    def run(self, stack: Stack) -> str:
        """Stop the node, let it join as the dead one's heir, and return once it is healthy and has every row (about a
        minute: it listens first). A run that was cut off once the node had data is continued: the repair is left to
        do.

        Raises: InvalidInput, before anything is stopped, where the name is no node, the node is leaving or still has
        data, another node is not up to copy from, or another clone started the stack. TerminalError where the
        earlier run left a node that cannot join. DeadlineExpired with its state where another node does not see it
        up and normal. TransientError where somebody else is changing the ring.
        """
        name = self.node
        if name not in ALL_NODES:
            raise unknown_name("node", name, ALL_NODES)
        client = our_processes(stack, f"replace {name}")
        client.require_ours()
        with changing_the_ring(stack, f"replace {name}"):
            return self._replace(stack, client)

    def _replace(self, stack: Stack, client: SupervisorClient) -> str:
        name = self.node
        if cassandra.leaving_mark(stack, name).exists():
            raise InvalidInput(
                "it was cut off while it left the ring", where=name, next_action=f"lakeproof ring scale {len(NODES)}"
            )
        # Asked before anything is stopped: are all nodes up that it would copy from?
        _others_up(stack, name)
        mark, has_data = cassandra.replace_mark(stack, name), cassandra.has_data(stack, name)
        if has_data and not self.discard_data and not mark.exists():
            raise InvalidInput(
                "it still has its data, and comes back by itself",
                where=name,
                next_action=f"lakeproof start {name}, then lakeproof ring repair {name}; "
                "--discard-data throws them away",
            )
        anew = not has_data or self.discard_data
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


# The most for handing over a whole node's copies; those of a shop's stock take seconds.
STREAM_SECONDS = 480.0


class ScaleRing(Mitigation):
    """Let a fourth Cassandra node join the ring, or leave it.

    Let a fourth Cassandra node join the ring, or leave it again.

    To stop a node is not to scale back: the ring would go on counting copies on it. A node that leaves hands its
    copies over first. The copies of a dead node are made anew, each from one other copy, and then all copies are
    compared.

    `nodes`: how many in all, 3 or 4.
    """

    nodes: int

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return f"lakeproof ring scale {self.nodes}"

    def run(self, stack: Stack) -> str:
        """Let a node join or leave; return once the ring has that size. Raises: InvalidInput before anything is
        changed, also where another clone started the stack: its nodes and their data are not ours to take out.
        TransientError where somebody else is changing the ring.
        """
        return scale(stack, self.nodes)


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
