"""A node that is replaced is repaired after it has joined, for nobody sent it the writes of meanwhile."""

import shutil
from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput, NotReady, TerminalError
from lakeproof.mitigations import ring as ring_repairs
from lakeproof.probes.ring import RingNode
from lakeproof.stack.engines import cassandra
from lakeproof.stack.stack import Stack

NODE = "cassandra-node2"


class Cluster:
    """The node, the others that see it, and the supervisor; keeps what was done."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.did, self.up = stack, list[str](), False
        self.repairs, self.joins = True, True
        self.state = "UN"  # of the node, where it is up
        self.others = {"cassandra-seed": "UN", "cassandra-node3": "UN"}
        self.silent_after: list[str] = []  # the steps right after which the ring once has no answer

    def ring(self, stack: Stack, *, ask: str | None = None) -> list[RingNode]:
        if self.silent_after and self.did and self.did[-1].startswith(self.silent_after[0]):
            if ask == "cassandra-node3":
                self.silent_after.pop(0)
            raise CouldNotLook("nodetool had no answer within 20 s", where=ask or "ring")
        states = self.others | {NODE: self.state if self.up else "DN"}
        return [RingNode(name, state, "", "", 16, None, "id", "") for name, state in states.items()]

    def nodetool(self, stack: Stack, name: str, *arguments: str, seconds: float) -> str:
        self.did.append(f"{' '.join(arguments)} on {name}")
        if not self.repairs:
            raise CouldNotLook("nodetool repair failed")
        return ""

    def require_ours(self) -> None: ...

    def stop(self, name: str, *, watched: bool) -> None:
        assert watched, "killed before the start, it would stay away and alert nobody"
        self.up = False
        self.did.append(f"stop {name}")

    def start(self, name: str) -> None:
        assert cassandra.replace_mark(self.stack, name).exists()
        self.did.append(f"start {name}")
        if not self.joins:
            raise NotReady("it ended")
        self.up = True
        file = cassandra.storage_dir(self.stack, name) / "data" / "system" / "local-1" / "nb-1-big-Data.db"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


@pytest.fixture
def cluster(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(stack)
    monkeypatch.setattr(ring_repairs, "our_processes", lambda stack, what: made)
    monkeypatch.setattr(ring_repairs, "ring", made.ring)
    monkeypatch.setattr(ring_repairs, "nodetool", made.nodetool)
    cassandra.replace_mark(made.stack, NODE).parent.mkdir(parents=True)
    return made


def test_a_replaced_node_is_repaired_once_it_has_joined(cluster: Cluster) -> None:
    assert ring_repairs.ReplaceNode(node=NODE).run(cluster.stack) == f"replaced: {NODE} is UN"
    assert cluster.did == [f"stop {NODE}", f"start {NODE}", f"repair --full on {NODE}"]
    assert not cassandra.replace_mark(cluster.stack, NODE).exists()
    with pytest.raises(InvalidInput, match="it still has its data"):
        ring_repairs.ReplaceNode(node=NODE).run(cluster.stack)


@pytest.mark.parametrize("state", ["UJ", "DN"])
def test_a_node_that_is_not_up_and_normal_in_the_end_is_no_success(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(ring_repairs, "NORMAL_SECONDS", 0.0, raising=False)
    cluster.state = state
    with pytest.raises(DeadlineExpired, match=f"{NODE}: .*last seen: {state}. Next: lakeproof ring") as ended:
        ring_repairs.ReplaceNode(node=NODE).run(cluster.stack)
    assert ended.value.exit_code == 1
    assert cluster.did[-1] == f"repair --full on {NODE}"


def test_the_others_have_time_to_see_it_up_and_normal(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def pause(deadline: Deadline, seconds: float) -> None:
        cluster.state = "UN"

    monkeypatch.setattr(Deadline, "pause", pause)
    cluster.state = "UJ"
    assert ring_repairs.ReplaceNode(node=NODE).run(cluster.stack) == f"replaced: {NODE} is UN"


def test_a_ring_that_once_has_no_answer_does_not_leave_the_node_stopped(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deadline, "pause", lambda self, seconds: None)
    cluster.silent_after = ["stop", "repair"]
    assert ring_repairs.ReplaceNode(node=NODE).run(cluster.stack) == f"replaced: {NODE} is UN"
    assert cluster.silent_after == []


@pytest.mark.parametrize(
    ("others", "away"),
    [
        ({"cassandra-node3": "DN"}, "cassandra-node3"),
        ({"cassandra-node3": "UJ"}, "cassandra-node3"),
        ({"cassandra-seed": "DN", "cassandra-node3": "DN"}, "cassandra-seed, cassandra-node3"),
        ({"cassandra-node4": "DN"}, "cassandra-node4"),
    ],
)
def test_where_another_node_is_away_nothing_is_stopped(cluster: Cluster, others: dict[str, str], away: str) -> None:
    """It would copy from one replica alone, which may lack rows that were acknowledged by the two that are away."""
    cluster.others |= others
    with pytest.raises(InvalidInput, match=f"{away} .* to copy from"):
        ring_repairs.ReplaceNode(node=NODE).run(cluster.stack)
    assert cluster.did == []


def test_a_fourth_node_that_is_up_is_no_hindrance(cluster: Cluster) -> None:
    cluster.others |= {"cassandra-node4": "UN"}
    assert ring_repairs.ReplaceNode(node=NODE).run(cluster.stack) == f"replaced: {NODE} is UN"


def test_a_repair_that_failed_after_the_join_is_made_by_the_next_run_which_stops_nothing(cluster: Cluster) -> None:
    cluster.repairs = False
    with pytest.raises(CouldNotLook, match="repair failed"):
        ring_repairs.ReplaceNode(node=NODE).run(cluster.stack)
    cluster.repairs, cluster.did = True, []
    assert ring_repairs.ReplaceNode(node=NODE).run(cluster.stack) == f"replaced: {NODE} is UN"
    assert cluster.did == [f"start {NODE}", f"repair --full on {NODE}"]
    assert not cassandra.replace_mark(cluster.stack, NODE).exists()


def test_killed_while_it_deletes_the_data_it_leaves_no_member_without_its_rows(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring_repairs.ReplaceNode(node=NODE).run(cluster.stack)
    rows = cassandra.storage_dir(cluster.stack, NODE) / "data" / "inventory" / "stock-1" / "nb-1-big-Data.db"
    rows.parent.mkdir(parents=True)
    rows.touch()
    rmtree = shutil.rmtree

    def killed(folder: Path, **options: bool) -> None:
        """The rows go first, what the node knows of the ring last."""
        if (tables := folder / "data" / "inventory").exists():
            rmtree(tables)
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        ring_repairs.ReplaceNode(node=NODE, discard_data=True).run(cluster.stack)
    assert not cassandra.has_data(cluster.stack, NODE)
    assert cassandra.replace_mark(cluster.stack, NODE).exists()
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    cluster.did = []
    assert ring_repairs.ReplaceNode(node=NODE).run(cluster.stack) == f"replaced: {NODE} is UN"
    assert cluster.did == [f"stop {NODE}", f"start {NODE}", f"repair --full on {NODE}"]
    assert [each.name for each in cluster.stack.data_dir(NODE).iterdir()] == ["storage"]


def test_killed_between_the_mark_and_the_deletion_the_next_run_repairs_it_and_takes_the_mark_away(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts with all its data, as any other."""
    ring_repairs.ReplaceNode(node=NODE).run(cluster.stack)

    def killed(stack: Stack, name: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(ring_repairs, "discard_data", killed)
        ring_repairs.ReplaceNode(node=NODE, discard_data=True).run(cluster.stack)
    assert cassandra.has_data(cluster.stack, NODE)
    cluster.did = []
    assert ring_repairs.ReplaceNode(node=NODE).run(cluster.stack) == f"replaced: {NODE} is UN"
    assert cluster.did == [f"start {NODE}", f"repair --full on {NODE}"]
    assert not cassandra.replace_mark(cluster.stack, NODE).exists()


def test_half_of_a_replacement_that_cannot_join_is_thrown_away_only_when_told(cluster: Cluster) -> None:
    cluster.repairs = False
    with pytest.raises(CouldNotLook):
        ring_repairs.ReplaceNode(node=NODE).run(cluster.stack)
    cluster.joins, cluster.repairs, cluster.did = False, True, []
    with pytest.raises(TerminalError, match="--discard-data"):
        ring_repairs.ReplaceNode(node=NODE).run(cluster.stack)
    cluster.joins = True
    assert cluster.did == [f"start {NODE}"]
    ring_repairs.ReplaceNode(node=NODE, discard_data=True).run(cluster.stack)
    assert f"stop {NODE}" in cluster.did and not cassandra.replace_mark(cluster.stack, NODE).exists()
