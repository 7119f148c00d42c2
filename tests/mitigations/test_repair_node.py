"""A node that was away is given what it missed, once every node that holds copies is up."""

from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, InvalidInput
from lakeproof.mitigations import ring as ring_repairs
from lakeproof.probes.ring import RingNode
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.engines.cassandra_config import NODES
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

NODE = ring_repairs.RepairNode(component="cassandra-node2")


class Cluster:
    """What each node sees of the others, and what nodetool was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.stack = Stack(Settings(state_dir=tmp_path))
        self.did = list[str]()
        self.seen = {name: dict.fromkeys(NODES, "UN") for name in NODES}
        monkeypatch.setattr(ring_repairs, "ring", self.ring)
        monkeypatch.setattr(ring_repairs, "nodetool", self.nodetool)

    def ring(self, stack: Stack, *, ask: str) -> list[RingNode]:
        return [RingNode(name, state, "", "", 16, None, "id", "") for name, state in self.seen[ask].items()]

    def nodetool(self, stack: Stack, name: str, *arguments: str, seconds: float) -> str:
        self.did.append(f"{' '.join(arguments)} on {name}")
        return ""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cluster:
    return Cluster(monkeypatch, tmp_path)


def test_it_compares_all_rows_also_those_that_were_repaired_before(cluster: Cluster) -> None:
    assert "holds the same rows" in NODE.run(cluster.stack)
    assert cluster.did == ["repair --full on cassandra-node2"]


@pytest.mark.parametrize("asked", ["cassandra-node2", "cassandra-seed"])
def test_it_waits_until_both_sides_see_every_node_up(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    """The node itself sees the others at once; they may still believe it down, and a repair would then fail."""
    cluster.seen[asked]["cassandra-node3"] = "DN"
    waited = list[float]()

    def pause(deadline: Deadline, seconds: float) -> None:
        assert cluster.did == []
        waited.append(seconds)
        cluster.seen[asked]["cassandra-node3"] = "UN"

    monkeypatch.setattr(Deadline, "pause", pause)
    NODE.run(cluster.stack)
    assert len(waited) == 1 and len(cluster.did) == 1


def test_where_a_node_stays_away_nothing_is_copied_and_who_it_is_is_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ring_repairs, "UP_SECONDS", 0.0)
    cluster.seen["cassandra-seed"]["cassandra-node3"] = "DN"
    with pytest.raises(DeadlineExpired, match="cassandra-seed sees cassandra-node3 DN") as ended:
        NODE.run(cluster.stack)
    assert "lakeproof ring repair cassandra-node2" in str(ended.value)
    assert cluster.did == []


@pytest.mark.parametrize("silent", ["cassandra-node2", "cassandra-seed"])
def test_a_node_that_gives_no_answer_at_first_is_waited_for_and_named(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    answers = cluster.ring

    def silent_at_first(stack: Stack, *, ask: str) -> list[RingNode]:
        if ask == silent and not waited:
            raise CouldNotLook("nodetool: connection refused")
        return answers(stack, ask=ask)

    waited = list[float]()
    monkeypatch.setattr(ring_repairs, "ring", silent_at_first)
    monkeypatch.setattr(Deadline, "pause", lambda deadline, seconds: waited.append(seconds))
    NODE.run(cluster.stack)
    assert len(waited) == 1 and len(cluster.did) == 1
    waited.clear()
    monkeypatch.setattr(ring_repairs, "UP_SECONDS", 0.0)
    with pytest.raises(DeadlineExpired, match=f"{silent} gives no answer: nodetool: connection refused"):
        NODE.run(cluster.stack)


def test_somebody_elses_node_is_repaired_on_its_own_machine() -> None:
    theirs = Stack(Settings(mode="external"))
    with pytest.raises(InvalidInput, match="nodetool repair --full"):
        NODE.run(theirs)


def test_what_is_no_node_is_refused(cluster: Cluster) -> None:
    with pytest.raises(InvalidInput, match="cassandra-node2"):
        ring_repairs.RepairNode(component="redis").run(cluster.stack)


def test_a_repair_that_fails_is_not_called_one(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> str:
        raise CouldNotLook("nodetool: Repair session failed")

    monkeypatch.setattr(ring_repairs, "nodetool", fails)
    with pytest.raises(CouldNotLook, match="session failed"):
        NODE.run(cluster.stack)


@pytest.mark.parametrize("node", NODES)
def test_whatever_kept_a_node_away_its_repair_ends_with_this_step(node: str) -> None:
    causes = load_catalog().causes
    words = node.replace("-", "_")
    for state in ("down", "hung", "unhealthy"):
        repairs = next(one for one in causes if one.id == f"{words}_{state}").repairs
        assert (repairs[-1].id, repairs[-1].arguments) == ("repair_node", {"component": node})
        assert len(repairs) > 1
