"""Faults of the scenario cassandra-node-down."""

import shutil
from pathlib import Path
from typing import Literal

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import Health, State
from lakeproof.stack.engines import cassandra
from lakeproof.stack.stack import Stack


class EmptiedNode(Fault):
    """Stop a Cassandra node and take its data away.

    A Cassandra node is down and its disk is empty, as after its machine was exchanged.

    Its data are laid aside, not deleted: where nobody has replaced the node, they come back as they were.

    `node`: the one that is emptied.
    """

    node: Literal["cassandra-seed", "cassandra-node2", "cassandra-node3"] = "cassandra-node2"

    def inject(self, stack: Stack) -> None:
        """Stop the node, in a way that alerts take for an accident, and lay its data aside.

        Raises: InvalidInput, before it is stopped, where earlier data were laid aside: those may be all there is.
        """
        client = our_processes(stack, f"empty {self.node}")
        client.require_ours()
        aside = _aside(stack, self.node)
        if aside.exists() and cassandra.has_data(stack, self.node):
            raise InvalidInput(
                f"data of before lie in {aside} already",
                where=self.node,
                next_action=f"lakeproof fault remove emptied_node --arg node={self.node}, while the stack is up",
            )
        client.stop(self.node, watched=True)
        if cassandra.has_data(stack, self.node):
            cassandra.storage_dir(stack, self.node).rename(aside)

    def remove(self, stack: Stack) -> None:
        """Delete the data that were laid aside where the node was replaced meanwhile; else put them back, and start
        it.

        It was replaced if it is healthy. Files alone do not tell: a node that was merely started, or whose
        replacement was cut off, has written some, and can never join with them. Raises: NotReady where the stack is
        down and the node has data beside those that were laid aside.
        """
        node, aside = self.node, _aside(stack, self.node)
        client = SupervisorClient(stack)
        if not client.running():
            if aside.exists() and cassandra.has_data(stack, node):
                raise NotReady(
                    "only the running node tells if it was replaced",
                    where=node,
                    next_action=f"lakeproof up {node}, then remove it again",
                )
            if aside.exists():
                _put_back(stack, node, aside)
            return
        if aside.exists() and client.row(node).health is Health.HEALTHY:
            shutil.rmtree(aside)
        elif aside.exists():
            client.stop(node, watched=True)
            _put_back(stack, node, aside)
        client.start(node)

    def sign(self, stack: Stack) -> Sign:
        """The node does not run, and has no data."""
        state, there = SupervisorClient(stack).row(self.node).state, cassandra.has_data(stack, self.node)
        told = f"{self.node} is {state.value}, and has {'its' if there else 'no'} data"
        return Sign(state is State.STOPPED and not there, told)


def _put_back(stack: Stack, node: str, aside: Path) -> None:
    shutil.rmtree(cassandra.storage_dir(stack, node), ignore_errors=True)
    aside.rename(cassandra.storage_dir(stack, node))
    cassandra.replace_mark(stack, node).unlink(missing_ok=True)


def _aside(stack: Stack, node: str) -> Path:
    return stack.data_dir(node) / "storage.lost"
