"""A node that is replaced is repaired after it has joined, for nobody sent it the writes of meanwhile."""

from pathlib import Path

import pytest

from lakeproof.mitigations import replace_node
from lakeproof.mitigations.replace_node import ReplaceNode
from lakeproof.probes.ring import RingNode
from lakeproof.stack.engines import cassandra
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

NODE = "cassandra-node2"


class Cluster:
    """The node, the others that see it, and the supervisor; keeps what was done."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.did, self.up = stack, list[str](), False

    def ring(self, stack: Stack, *, ask: str | None = None) -> list[RingNode]:
        states = {"cassandra-seed": "UN", NODE: "UN" if self.up else "DN"}
        return [RingNode(name, state, "", "", 16, None, "id", "") for name, state in states.items()]

    def nodetool(self, stack: Stack, name: str, *arguments: str, seconds: float) -> str:
        self.did.append(f"{' '.join(arguments)} on {name}")
        return ""

    def require_ours(self) -> None: ...

    def stop(self, name: str) -> None:
        self.up = False

    def start(self, name: str) -> None:
        assert cassandra.replace_mark(self.stack, name).exists()
        self.up = True
        self.did.append(f"start {name}")


def test_a_replaced_node_is_repaired_once_it_has_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = Stack(Settings(state_dir=tmp_path))
    cluster = Cluster(stack)
    monkeypatch.setattr(replace_node, "our_processes", lambda stack, what: cluster)
    monkeypatch.setattr(replace_node, "ring", cluster.ring)
    monkeypatch.setattr(replace_node, "nodetool", cluster.nodetool)
    cassandra.replace_mark(stack, NODE).parent.mkdir(parents=True)
    assert replace_node.run(stack, ReplaceNode(node=NODE)) == f"replaced: {NODE} is UN"
    assert cluster.did == [f"start {NODE}", f"repair --full on {NODE}"]
    assert not cassandra.replace_mark(stack, NODE).exists()
