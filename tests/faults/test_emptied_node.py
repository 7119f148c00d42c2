"""A node whose data are gone: they come back where nobody replaced it, and are deleted where somebody did."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import InvalidInput, NotReady
from lakeproof.probes import ring
from lakeproof.processes.states import Health, State
from lakeproof.stack.engines import cassandra
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.cassandra_node_down import faults

NODE = "cassandra-node2"


class Node:
    """The node's process, as the supervisor keeps it."""

    def __init__(self) -> None:
        self.state = State.RUNNING
        self.health = Health.HEALTHY
        self.watched = False
        self.there = True

    def require_ours(self) -> None: ...

    def running(self) -> bool:
        return self.there

    def row(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(state=self.state, health=self.health)

    def stop(self, name: str, *, watched: bool = False) -> None:
        self.state, self.health, self.watched = State.STOPPED, Health.NONE, watched

    def start(self, name: str) -> None:
        self.state, self.health = State.RUNNING, Health.HEALTHY


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Node:
    made = Node()
    monkeypatch.setattr(faults, "our_processes", lambda stack, what: made)
    monkeypatch.setattr(faults, "SupervisorClient", lambda stack: made)
    return made


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    made = Stack(Settings(state_dir=tmp_path))
    write_data(made, "old")
    return made


def write_data(stack: Stack, text: str) -> None:
    file = cassandra.storage_dir(stack, NODE) / "data" / "system" / "local-1" / "nb-1-big-Data.db"
    file.parent.mkdir(parents=True)
    file.write_text(text)


def data(stack: Stack) -> list[str]:
    return [file.read_text() for file in stack.data_dir(NODE).rglob("*-Data.db")]


def test_the_node_is_down_without_data_as_by_an_accident(stack: Stack, node: Node) -> None:
    assert ring.data_of(stack, 1.0, NODE) == "there"
    for _ in range(2):
        faults.EmptiedNode().inject(stack)
    assert node.watched and ring.data_of(stack, 1.0, NODE) == "gone"
    assert faults.EmptiedNode().sign(stack).holds


def test_its_own_data_come_back_where_nobody_replaced_it(stack: Stack, node: Node) -> None:
    faults.EmptiedNode().inject(stack)
    for _ in range(2):
        faults.EmptiedNode().remove(stack)
    assert data(stack) == ["old"] and node.state is State.RUNNING


def test_of_a_node_that_was_replaced_the_old_data_are_deleted(stack: Stack, node: Node) -> None:
    faults.EmptiedNode().inject(stack)
    write_data(stack, "copied")
    node.start(NODE)
    faults.EmptiedNode().remove(stack)
    assert data(stack) == ["copied"]


def test_a_replacement_that_was_cut_off_or_a_mere_start_is_undone(stack: Stack, node: Node) -> None:
    faults.EmptiedNode().inject(stack)
    write_data(stack, "half")
    mark = cassandra.replace_mark(stack, NODE)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    faults.EmptiedNode().remove(stack)
    assert data(stack) == ["old"] and not mark.exists()


def test_with_the_stack_down_and_new_data_there_nobody_can_tell_and_nothing_is_forgotten(
    stack: Stack, node: Node
) -> None:
    faults.EmptiedNode().inject(stack)
    write_data(stack, "half")
    node.there = False
    with pytest.raises(NotReady, match=f"lakeproof up {NODE}"):
        faults.EmptiedNode().remove(stack)
    node.there = True
    faults.EmptiedNode().remove(stack)
    assert data(stack) == ["old"]


def test_with_the_stack_down_its_own_data_come_back_where_there_are_no_others(stack: Stack, node: Node) -> None:
    faults.EmptiedNode().inject(stack)
    node.there = False
    faults.EmptiedNode().remove(stack)
    assert data(stack) == ["old"]


def test_what_was_laid_aside_is_never_deleted_by_another_injection(stack: Stack, node: Node) -> None:
    faults.EmptiedNode().inject(stack)
    write_data(stack, "half")
    node.start(NODE)
    with pytest.raises(InvalidInput, match=r"lie in .*storage\.lost already"):
        faults.EmptiedNode().inject(stack)
    assert node.state is State.RUNNING and sorted(data(stack)) == ["half", "old"]
