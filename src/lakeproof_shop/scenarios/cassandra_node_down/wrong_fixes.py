"""Steps that look like a repair of cassandra-node-down, and are none."""

from pathlib import Path

from lakeproof.arguments import OfComponent
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.mitigations.ring import discard_data, repair_rows
from lakeproof.probes.ring import RingNode, nodetool, ring
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.cassandra_config import NODES
from lakeproof.stack.stack import Stack
from lakeproof.unknown_name import unknown_name
from lakeproof.written import write_file
from lakeproof.wrong_fixes.wrong_step import WrongStep

DOWN_SECONDS = 60.0

REMOVE_SECONDS = 240.0


class RemoveNode(OfComponent, WrongStep):
    """Take a node out of the ring that is down (mends nothing).

    A wrong fix: take a Cassandra node out of the ring because it is down. The ring of three copies then has two
    nodes, and `nodetool status` shows nothing that is down. (The alert's metric went on counting the node when this
    was played.)

    The node's process may only hang, and all of its rows are still on its disk: the node was to come back. A removed
    node that wakes up later tells the others that it is a member, and they believe it, whatever writes it has
    missed.
    """

    def typed(self, stack: Stack) -> str:
        """Cassandra's own tool."""
        return f"nodetool removenode HOST_ID # of {self.component}, as `lakeproof ring` shows it"

    def run(self, stack: Stack) -> str:
        """Remove the node; fine where the ring does not have it. Raises: InvalidInput where it is up;
        CouldNotLook.
        """
        name = self.component
        if name not in NODES:
            raise unknown_name("node", name, NODES)
        member = _member(stack, name)
        if member is None:
            return f"the ring has no {name}"
        if member.up:
            raise InvalidInput("it is up", where=name, next_action="lakeproof ring")
        write_file(_mark(stack, name), "taken away once the node has joined anew\n")
        _remove(stack, member)
        return f"{name} was taken out of the ring"

    def undo(self, stack: Stack) -> None:
        """Have the node join as a new node, for a removed node may not come back with its data; it copies its rows
        from the others. Then repair it, since a row may be on only one of the others. Safe to repeat; nothing is
        done
        where the node was not removed. Raises: CouldNotLook, DeadlineExpired; what a start raises.
        """
        name = self.component
        if not _mark(stack, name).exists():
            return
        client = our_processes(stack, f"have {name} join the ring")
        client.stop(name)  # a process that hung wakes up for the stop, and the node is a member again
        if _member(stack, name) is not None:
            _remove(
                stack, Deadline(DOWN_SECONDS).wait_for(f"the ring to see {name} down", lambda: _away(stack, name))
            )
        discard_data(stack, name)
        client.start(name)
        repair_rows(stack, name)
        _mark(stack, name).unlink(missing_ok=True)


def _remove(stack: Stack, member: RingNode) -> None:
    nodetool(stack, _other(member.name), "removenode", member.host_id, seconds=REMOVE_SECONDS)


def _away(stack: Stack, name: str) -> RingNode | None:
    member = _member(stack, name)
    return member if member is not None and not member.up else None


def _mark(stack: Stack, name: str) -> Path:
    """The file that exists from just before the node is removed until it has joined again."""
    return stack.etc_dir(name) / "taken-out-of-the-ring"


def _member(stack: Stack, name: str) -> RingNode | None:
    return next((node for node in ring(stack, ask=_other(name)) if node.name == name), None)


def _other(name: str) -> str:
    return next(each for each in NODES if each != name)
