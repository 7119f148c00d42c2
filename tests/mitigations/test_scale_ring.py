"""A ring whose scaling was cut off anywhere: the next `up` and the next `ring scale` find out what is still to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput, TransientError
from lakeproof.held_file import hold
from lakeproof.mitigations import ring as ring_repairs
from lakeproof.probes.ring import RingNode
from lakeproof.stack.components import all_components
from lakeproof.stack.engines import cassandra
from lakeproof.stack.engines.cassandra_config import FURTHER, NODES
from lakeproof.stack.stack import Stack

FOURTH = FURTHER[0]
LASTING = all_components()[FOURTH].lasting


class Cluster:
    """Stands for the nodes and their supervisor. `cut_off_at`: the step after which whoever scales is killed."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.members = list(NODES)
        self.did: list[str] = []
        self.cut_off_at = ""
        self.still_leaving = 0  # looks at the ring in which it is seen all the same
        self.dead = list[str]()
        self.repairs = True

    def step(self, name: str) -> None:
        self.did.append(name)
        if name == self.cut_off_at:
            raise KeyboardInterrupt

    # as the ring answers

    def ring(self, stack: Stack) -> list[RingNode]:
        leaves = [FOURTH] if self.still_leaving and FOURTH not in self.members else []
        self.still_leaving -= len(leaves)
        states = dict.fromkeys(self.members, "UN") | dict.fromkeys(leaves, "UL") | dict.fromkeys(self.dead, "DN")
        return [RingNode(name, state, "", "", 16, None, "id", "") for name, state in states.items()]

    def nodetool(self, stack: Stack, name: str, *arguments: str, seconds: float) -> str:
        if arguments[0] == "decommission" and FOURTH in self.members:
            self.members.remove(FOURTH)
        if arguments[0] == "removenode":
            self.dead.remove(FOURTH)
        self.step(arguments[0])
        if arguments[0] == "repair" and not self.repairs:
            raise CouldNotLook("nodetool repair failed")
        return ""

    # as the supervisor answers

    def require_ours(self) -> None:
        pass

    def up(self, names: list[str], on_event: object) -> list[str]:
        if FOURTH not in self.members:
            system = cassandra.storage_dir(self.stack, FOURTH) / "data" / "system" / "local-1"
            system.mkdir(parents=True)
            (system / "nb-1-big-Data.db").touch()
            self.members.append(FOURTH)
        self.step("up")
        return names

    def forget(self, name: str, on_event: object) -> bool:
        # What the ring says of a node that was ended while it left is for the others to repair.
        assert not self.still_leaving
        self.step("forget")
        return True

    # and what happens to the fourth

    def dies(self) -> None:
        self.members.remove(FOURTH)
        self.dead.append(FOURTH)


@pytest.fixture
def cluster(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(stack)
    monkeypatch.setattr(ring_repairs, "ring", made.ring)
    for module in (ring_repairs, ring_repairs):
        monkeypatch.setattr(module, "nodetool", made.nodetool)
    monkeypatch.setattr(ring_repairs, "our_processes", lambda stack, what: made)
    return made


def comes_back(stack: Stack) -> bool:
    """Whether `up` of the others would start the fourth."""
    assert LASTING is not None
    return LASTING(stack)


def cut_off(cluster: Cluster, nodes: int, at: str) -> None:
    cluster.cut_off_at = at
    with pytest.raises(KeyboardInterrupt):
        ring_repairs.scale(cluster.stack, nodes)
    cluster.cut_off_at, cluster.did = "", []


def test_a_node_that_joined_comes_back_and_one_that_left_does_not(cluster: Cluster) -> None:
    assert not comes_back(cluster.stack)
    assert ring_repairs.scale(cluster.stack, 4) == "cassandra-node4 joined"
    assert comes_back(cluster.stack)
    assert ring_repairs.scale(cluster.stack, 4).startswith("cassandra-node4 was a member already")
    assert cluster.did.count("cleanup") == 3
    assert ring_repairs.scale(cluster.stack, 3) == "cassandra-node4 left"
    assert not comes_back(cluster.stack)
    assert ring_repairs.scale(cluster.stack, 3) == "it has 3 nodes already"
    assert ring_repairs.scale(cluster.stack, 4) == "cassandra-node4 joined"


@pytest.mark.parametrize("at", ["decommission", "forget"])
def test_a_node_that_was_cut_off_while_it_left_does_not_come_back_and_goes_on_leaving(
    cluster: Cluster, at: str
) -> None:
    ring_repairs.scale(cluster.stack, 4)
    cut_off(cluster, 3, at)
    assert cassandra.has_data(cluster.stack, FOURTH)
    assert not comes_back(cluster.stack)
    assert ring_repairs.scale(cluster.stack, 3) == "cassandra-node4 left"
    assert not cassandra.storage_dir(cluster.stack, FOURTH).exists()
    assert ring_repairs.scale(cluster.stack, 3) == "it has 3 nodes already"


def test_a_node_that_was_cut_off_while_it_left_leaves_before_it_joins_anew(cluster: Cluster) -> None:
    ring_repairs.scale(cluster.stack, 4)
    cut_off(cluster, 3, "decommission")
    with pytest.raises(InvalidInput, match="while it left") as refused:
        ring_repairs.ReplaceNode(node=FOURTH, discard_data=True).run(cluster.stack)
    assert refused.value.next_action == "lakeproof ring scale 3"
    assert ring_repairs.scale(cluster.stack, 4) == "cassandra-node4 left; cassandra-node4 joined"
    assert cluster.did.count("cleanup") == 3
    assert comes_back(cluster.stack)


def test_a_node_that_still_hands_its_copies_over_is_not_ended(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring_repairs.scale(cluster.stack, 4)
    cut_off(cluster, 3, "decommission")
    monkeypatch.setattr(Deadline, "pause", lambda self, seconds: None)
    cluster.still_leaving = 3
    assert ring_repairs.scale(cluster.stack, 3) == "cassandra-node4 left"
    assert cluster.did == ["decommission", "forget"]


def test_a_ring_that_once_has_no_answer_does_not_end_the_wait_for_a_node_that_leaves(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring_repairs.scale(cluster.stack, 4)
    silent = ["decommission"]

    def ring(stack: Stack) -> list[RingNode]:
        if cluster.did[-1:] == silent:
            silent.clear()
            raise CouldNotLook("nodetool had no answer within 20 s", where="ring")
        return cluster.ring(stack)

    monkeypatch.setattr(ring_repairs, "ring", ring)
    monkeypatch.setattr(Deadline, "pause", lambda self, seconds: None)
    assert ring_repairs.scale(cluster.stack, 3) == "cassandra-node4 left"
    assert silent == []


@pytest.mark.parametrize("at", ["up", "cleanup"])
def test_a_join_that_was_cut_off_still_has_the_others_drop_what_is_no_longer_theirs(
    cluster: Cluster, at: str
) -> None:
    cut_off(cluster, 4, at)
    assert comes_back(cluster.stack)
    assert ring_repairs.scale(cluster.stack, 4) == "cassandra-node4 joined"
    assert cluster.did.count("cleanup") == 3


def test_a_join_that_was_cut_off_can_be_taken_back(cluster: Cluster) -> None:
    cut_off(cluster, 4, "cleanup")
    assert ring_repairs.scale(cluster.stack, 3) == "cassandra-node4 left"
    marks: tuple[Callable[[Stack, str], Path], ...] = (cassandra.joining_mark, cassandra.leaving_mark)
    assert not any(mark(cluster.stack, FOURTH).exists() for mark in marks)


def test_after_a_dead_node_was_taken_out_the_others_are_repaired_before_its_data_go(cluster: Cluster) -> None:
    """Who takes a copy over gets it from one node alone, which may lack a row that was acknowledged."""
    ring_repairs.scale(cluster.stack, 4)
    cluster.dies()
    cluster.did, cluster.repairs = [], False
    with pytest.raises(CouldNotLook, match="repair failed"):
        ring_repairs.scale(cluster.stack, 3)
    assert cluster.did == ["forget", "removenode", "repair"]
    assert cassandra.has_data(cluster.stack, FOURTH) and not comes_back(cluster.stack)
    cluster.repairs, cluster.did = True, []
    assert ring_repairs.scale(cluster.stack, 3) == "cassandra-node4 left"
    assert cluster.did == ["forget", "repair"]
    assert not cassandra.storage_dir(cluster.stack, FOURTH).exists()


def test_a_dead_node_that_was_taken_out_just_before_the_cut_is_still_repaired_after(cluster: Cluster) -> None:
    ring_repairs.scale(cluster.stack, 4)
    cluster.dies()
    cut_off(cluster, 3, "removenode")
    assert ring_repairs.scale(cluster.stack, 3) == "cassandra-node4 left"
    assert cluster.did == ["forget", "repair"]


def test_a_node_that_hands_its_copies_over_needs_no_repair_of_the_others(cluster: Cluster) -> None:
    ring_repairs.scale(cluster.stack, 4)
    cluster.did = []
    ring_repairs.scale(cluster.stack, 3)
    assert cluster.did == ["decommission", "forget"]


def test_whoever_changes_the_ring_second_is_told_who_is_at_it(cluster: Cluster) -> None:
    with hold(cluster.stack.state_dir / "ring.lock", "process 7 (ring scale 4, since 09:00:00)"):
        with pytest.raises(TransientError, match=r"process 7 \(ring scale 4, since 09:00:00\)"):
            ring_repairs.scale(cluster.stack, 3)
        with pytest.raises(TransientError, match="process 7"):
            ring_repairs.ReplaceNode(node="cassandra-node2").run(cluster.stack)
    assert cluster.did == []
    assert ring_repairs.scale(cluster.stack, 4) == "cassandra-node4 joined"


def test_a_mark_that_somebody_else_took_away_meanwhile_is_no_trouble(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nodetool(stack: Stack, name: str, *arguments: str, seconds: float) -> str:
        cassandra.joining_mark(stack, FOURTH).unlink(missing_ok=True)
        cassandra.leaving_mark(stack, FOURTH).unlink(missing_ok=True)
        return cluster.nodetool(stack, name, *arguments, seconds=seconds)

    monkeypatch.setattr(ring_repairs, "nodetool", nodetool)
    assert ring_repairs.scale(cluster.stack, 4) == "cassandra-node4 joined"
    assert ring_repairs.scale(cluster.stack, 3) == "cassandra-node4 left"
