"""A new slot is made only where the old one is lost or gone, in the right order, and again where it was cut off."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answering

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import new_slot, publication, slot
from lakeproof.lake.capture.columns import Difference, Differences
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.new_slot import make_new_slot, require_lost
from lakeproof.lake.capture.slot import Slot
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

LOST = Slot("lake", "lost", False, None)
DONE = ["PUT stop", "drop", "forget in _connect_offsets_shop", "forget in _connect_offsets", "PUT resume"]
KEPT = Slot("lake", "reserved", True, 0)
SNAPSHOT = Slot("lake", "reserved", False, 0)


class World:
    """Connect's one connector and PostgreSQL's one slot; resumed, the connector makes a slot."""

    def __init__(self) -> None:
        self.slot: Slot | None = LOST
        self.state: str | None = "RUNNING"
        self.known = True
        self.made = KEPT
        self.done: list[str] = []
        self.missing: list[Difference] = []

    def connect(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if self.state is None:
            return 404, {}
        if path.endswith("/offsets"):
            keys = [{"partition": {"server": "shop"}, "offset": {"lsn": 7}}] if self.known else []
            return 200, {"offsets": keys}
        if method == "GET":
            tasks = [] if self.state == "STOPPED" else [{"id": 0, "state": self.state}]
            return 200, {"connector": {"state": self.state}, "tasks": tasks}
        self.done.append(f"{method} {path.rsplit('/', 1)[1]}")
        if path.endswith("/stop"):
            self.state = "STOPPED"
        elif path.endswith("/resume"):
            self.state, self.slot = "RUNNING", self.made
        return 200, {}

    def ask(self, stack: Stack, connector: object, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        self.done.append("drop")
        self.slot = None
        return []

    def producer(self, settings: dict[str, Any]) -> "World":
        return self

    def produce(self, topic: str, *, key: bytes, value: bytes | None) -> None:
        assert (self.state, key, value) == ("STOPPED", b'["shop",{"server":"shop"}]', None)
        self.done.append(f"forget in {topic}")
        self.known = topic != "_connect_offsets"

    def flush(self, seconds: float) -> int:
        return 0


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(slot, "look", lambda stack, connector: made.slot)
    monkeypatch.setattr(new_slot, "look", lambda stack, source: Differences((), tuple(made.missing)))
    monkeypatch.setattr(publication, "ask", made.ask)
    monkeypatch.setattr(new_slot, "Producer", made.producer)
    return made


@pytest.fixture
def stack(world: World, tmp_path: Path, answering: Answering) -> Stack:
    return Stack(
        Settings(
            mode="external",
            state_dir=tmp_path,
            endpoints={"connect": {"http": answering(world.connect)}, "kafka": {"tcp": "k:9092"}},
        )
    )


@pytest.mark.parametrize("seen", [LOST, None])
def test_it_is_stopped_dropped_forgotten_and_resumed(stack: Stack, world: World, seen: Slot | None) -> None:
    world.slot = seen
    told: list[str] = []
    assert make_new_slot(stack, "shop", told.append) == KEPT
    assert world.done == DONE
    assert tuple(told) == new_slot.steps(find_connector("shop"))


def test_one_that_was_cut_off_after_its_stop_is_done_again_from_the_start(stack: Stack, world: World) -> None:
    world.slot, world.state = None, "STOPPED"
    make_new_slot(stack, "shop", lambda text: None)
    assert world.done == DONE


@pytest.mark.parametrize(
    ("name", "seen", "state", "words"),
    [
        ("shop", KEPT, "RUNNING", "keeps its place"),
        ("shop", LOST, None, "lakeproof capture register shop"),
        ("orders", LOST, "RUNNING", "no slot"),
        ("nobody", LOST, "RUNNING", "no connector"),
    ],
)
def test_where_it_would_mend_nothing_it_is_refused_and_nothing_is_done(
    stack: Stack, world: World, name: str, seen: Slot, state: str | None, words: str
) -> None:
    world.slot, world.state = seen, state
    with pytest.raises(InvalidInput) as refused:
        require_lost(stack, name)
    assert words in refused.value.message
    assert world.done == []


def test_one_that_keeps_its_place_is_made_anew_where_its_topic_has_lost_what_it_brought(
    stack: Stack, world: World
) -> None:
    world.slot = replace(KEPT, active=False)  # since the connector is stopped
    assert make_new_slot(stack, "shop", lambda text: None, kept_too=True) == KEPT
    assert world.done == DONE


def test_a_slot_that_nobody_follows_while_all_rows_are_read_is_there(stack: Stack, world: World) -> None:
    world.made = SNAPSHOT
    assert make_new_slot(stack, "shop", lambda text: None) == SNAPSHOT


@pytest.mark.parametrize(("state", "refused"), [("RUNNING", True), ("PAUSED", True), ("FAILED", False)])
def test_a_slot_that_was_not_made_yet_is_not_lost(stack: Stack, world: World, state: str, refused: bool) -> None:
    world.slot, world.known, world.state = None, False, state
    if refused:
        with pytest.raises(InvalidInput, match="was not made yet"):
            require_lost(stack, "shop")
    else:
        require_lost(stack, "shop")


@pytest.mark.parametrize("state", ["FAILED", "STOPPED"])
def test_one_that_was_cut_off_and_has_a_slot_beside_its_old_offsets_is_done_again(
    stack: Stack, world: World, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(new_slot, "_forget_offsets", cut_off)
        with pytest.raises(KeyboardInterrupt):
            make_new_slot(stack, "shop", lambda text: None)
    world.slot, world.state = SNAPSHOT, state
    world.done.clear()
    make_new_slot(stack, "shop", lambda text: None)
    assert world.done == DONE
    world.state = state
    with pytest.raises(InvalidInput, match="keeps its place"):  # done: whatever stops it later is something else
        require_lost(stack, "shop")


def cut_off(*given: object) -> None:
    raise KeyboardInterrupt


def test_while_shop_capture_does_not_run_its_connector_rests(stack: Stack, world: World) -> None:
    ours = Stack(stack.settings.model_copy(update={"mode": "local"}))
    with pytest.raises(InvalidInput, match="lakeproof up shop-capture"):
        require_lost(ours, "shop")
    assert world.done == []


def test_rows_that_lack_a_declared_column_are_not_read_anew(stack: Stack, world: World) -> None:
    """The lake is all that the column's values can be restored from. A table that only grows is never overwritten."""
    world.missing = [Difference("payment.payments", "captured", None, "DECIMAL(12, 2)")]
    with pytest.raises(InvalidInput, match="captured is missing in the same table"):
        make_new_slot(stack, "shop", lambda text: None)
    assert world.done == []
    world.missing = [Difference("payment.payment_events", "amount", None, "DECIMAL(12, 2)")]
    make_new_slot(stack, "shop", lambda text: None)
    assert world.done == DONE
