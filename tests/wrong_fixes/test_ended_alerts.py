"""Wrong fixes that end the alert: a node taken out of the ring, files deleted. What each leaves, and takes back."""

import sqlite3
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.probes.ring import RingNode
from lakeproof.stack.engines import cassandra
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.cassandra_node_down import wrong_fixes as cassandra_node_down_wrong_fixes
from lakeproof_shop.scenarios.connection_saturation import wrong_fixes as connection_saturation_wrong_fixes
from lakeproof_shop.scenarios.connection_saturation.wrong_fixes import RaisePostgresMaxConnections
from lakeproof_shop.scenarios.fulfillment_delay import wrong_fixes as fulfillment_delay_wrong_fixes
from lakeproof_shop.scenarios.support_timeline import wrong_fixes
from lakeproof_shop.services.support.file_store import attachment_dir

NODE2 = cassandra_node_down_wrong_fixes.RemoveNode(component="cassandra-node2")


def member(name: str, state: str) -> RingNode:
    return RingNode(name, state, f"{name}:1", "1 KiB", 4, 100.0, f"id-of-{name}", "rack")


class Ring:
    """What the other nodes see, and what they are told by nodetool."""

    def __init__(self) -> None:
        self.nodes = [
            member("cassandra-seed", "UN"),
            member("cassandra-node2", "DN"),
            member("cassandra-node3", "UN"),
        ]
        self.told: list[tuple[str, ...]] = []
        self.calls: list[str] = []
        self.wakes_up: list[RingNode] = []
        """How the others see the node once it was stopped, look by look."""

    def ring(self, stack: Stack, *, ask: str) -> list[RingNode]:
        assert ask != NODE2.component, "a node that hangs gives no answer"
        if self.calls and self.wakes_up:
            return [*self.nodes, self.wakes_up.pop(0)]
        return self.nodes

    def nodetool(self, stack: Stack, *arguments: str, seconds: float) -> str:
        self.told.append(arguments)
        self.nodes = [node for node in self.nodes if node.host_id != arguments[2]]
        return ""


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> Ring:
    made = Ring()
    client = SimpleNamespace(
        stop=lambda name: made.calls.append(f"stop {name}"), start=lambda name: made.calls.append(f"start {name}")
    )
    monkeypatch.setattr(
        cassandra_node_down_wrong_fixes, "repair_rows", lambda stack, name: made.calls.append(f"repair {name}")
    )
    monkeypatch.setattr(cassandra_node_down_wrong_fixes, "ring", made.ring)
    monkeypatch.setattr(cassandra_node_down_wrong_fixes, "nodetool", made.nodetool)
    monkeypatch.setattr(cassandra_node_down_wrong_fixes, "our_processes", lambda *_: client)
    return made


def stored(stack: Stack) -> Path:
    row = cassandra.storage_dir(stack, NODE2.component) / "data" / "row"
    row.parent.mkdir(parents=True)
    row.write_text("of before")
    return row


def test_a_node_that_was_removed_joins_anew_without_its_old_data(stack: Stack, others: Ring) -> None:
    row = stored(stack)
    assert NODE2.run(stack) == "cassandra-node2 was taken out of the ring"
    assert others.told == [("cassandra-seed", "removenode", "id-of-cassandra-node2")]
    assert NODE2.run(stack) == "the ring has no cassandra-node2"
    assert row.exists(), "its disk is as it was"
    for _ in range(2):
        NODE2.undo(stack)
    assert not row.exists()
    assert others.calls == ["stop cassandra-node2", "start cassandra-node2", "repair cassandra-node2"]


def test_a_hung_node_that_wakes_up_as_a_member_again_is_removed_once_more(stack: Stack, others: Ring) -> None:
    """It tells the others so when it is stopped; before it is seen down it cannot be removed."""
    NODE2.run(stack)
    others.wakes_up = [member("cassandra-node2", state) for state in ("UN", "UN", "DN")]
    NODE2.undo(stack)
    assert others.told == 2 * [("cassandra-seed", "removenode", "id-of-cassandra-node2")]
    assert others.calls[-1] == "repair cassandra-node2"


def test_the_data_of_a_node_that_the_ring_has_are_not_touched(stack: Stack, others: Ring) -> None:
    row = stored(stack)
    NODE2.undo(stack)  # the step was cut off before it removed the node
    assert row.exists() and not others.calls


def test_where_nobody_says_what_the_ring_has_the_data_stay(
    stack: Stack, others: Ring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(*_: object, **__: object) -> list[RingNode]:
        raise CouldNotLook("no answer", where="cassandra-seed")

    row = stored(stack)
    NODE2.run(stack)
    monkeypatch.setattr(cassandra_node_down_wrong_fixes, "ring", silent)
    with pytest.raises(CouldNotLook):
        NODE2.undo(stack)
    assert row.exists() and others.calls == ["stop cassandra-node2"]


def test_a_node_that_is_up_is_not_removed(stack: Stack, others: Ring) -> None:
    others.nodes[1] = member("cassandra-node2", "UN")
    with pytest.raises(InvalidInput, match="it is up"):
        NODE2.run(stack)
    with pytest.raises(InvalidInput, match="no node 'redis'"):
        cassandra_node_down_wrong_fixes.RemoveNode(component="redis").run(stack)
    assert not others.told


def test_large_attachments_are_gone_until_they_are_put_back(stack: Stack) -> None:
    folder = attachment_dir(stack) / "files" / "ab"
    folder.mkdir(parents=True)
    (folder / "abc").write_bytes(b"x" * 1_000_001)
    (folder / "abd").write_bytes(b"x" * 1_000_000)
    for told in ("1 attachments", "0 attachments"):
        done = wrong_fixes.DeleteAttachments().run(stack)
        assert done == f"{told} larger than 1 MB are deleted"
    assert [file.name for file in folder.iterdir()] == ["abd"]
    for _ in range(2):
        wrong_fixes.DeleteAttachments().undo(stack)
    assert (folder / "abc").read_bytes() == b"x" * 1_000_001
    assert [each.name for each in attachment_dir(stack).parent.iterdir()] == ["attachments"]


def test_what_is_no_attachment_in_the_folder_of_deleted_ones_is_told(stack: Stack) -> None:
    kept = attachment_dir(stack).with_name("attachments.deleted-by-hand")
    kept.mkdir(parents=True)
    (kept / "notes").touch()
    with pytest.raises(TerminalError, match=r"deleted-by-hand/notes: not removed: .*move by hand what is there"):
        wrong_fixes.DeleteAttachments().undo(stack)


class Parcels:
    """Three parcels in SQLite: held by its buyer, held by what the service found on its label, and shipped."""

    def __init__(self) -> None:
        self.rows = sqlite3.connect(":memory:")
        self.rows.create_function("now", 0, lambda: "now")
        self.rows.executescript("""
            CREATE TABLE fulfillments
              (id, status, hold_until, shipped_at, has_work, due_at, lease_owner, lease_until);
            CREATE TABLE fulfillment_operations (fulfillment_id, version, hold_until);
            CREATE TABLE fulfillment_events (fulfillment_id, type);
            INSERT INTO fulfillments (id, status, hold_until) VALUES
              (1, 'label_pending', 'tomorrow'), (2, 'label_pending', 'in a year'), (3, 'shipped', NULL);
            INSERT INTO fulfillment_operations VALUES (1, 1, 'today'), (1, 2, 'tomorrow'), (2, 1, NULL);
            INSERT INTO fulfillment_events VALUES (3, 'shipped');
        """)

    def execute(self, statement: bytes) -> sqlite3.Cursor:
        sql = statement.decode().replace("fulfillments f SET", "fulfillments AS f SET")
        return self.rows.execute(sql.replace("SELECT FROM", "SELECT 1 FROM"))


def test_a_parcel_that_was_called_shipped_is_held_again_as_its_buyer_wished(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    parcels = Parcels()
    monkeypatch.setattr(fulfillment_delay_wrong_fixes, "connection", lambda *_: nullcontext(parcels))
    assert fulfillment_delay_wrong_fixes.MarkParcelsShipped().run(stack) == "2 parcels are called shipped"
    fulfillment_delay_wrong_fixes.MarkParcelsShipped().undo(stack)
    assert list(parcels.rows.execute("SELECT id, status, hold_until FROM fulfillments ORDER BY id")) == [
        (1, "requested", "tomorrow"),
        (2, "requested", None),
        (3, "shipped", None),
    ]
    parcels.rows.close()


@pytest.mark.parametrize(("most", "restarts"), [(400, 1), (200, 0)])
def test_postgresql_has_as_many_sessions_as_before_in_the_end(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, most: int, restarts: int
) -> None:
    """most: what it still says when it is undone; it is restarted only where that is more than its own number."""
    said: list[str] = []

    class Administrator:
        def __enter__(self) -> "Administrator":
            return self

        def __exit__(self, *_: object) -> None: ...

        def __call__(self, statement: str) -> list[tuple[str]]:
            said.append(statement)
            return [(str(most),)]

    client = SimpleNamespace(restart=lambda name: said.append(f"restart {name}"))
    monkeypatch.setattr(connection_saturation_wrong_fixes, "administrator", lambda *_: Administrator())
    monkeypatch.setattr(connection_saturation_wrong_fixes, "our_processes", lambda *_: client)
    given = RaisePostgresMaxConnections()
    assert given.run(stack) == "max_connections is 400, postgres was restarted"
    assert said == ["ALTER SYSTEM SET max_connections = 400", "restart postgres"]
    said.clear()
    given.undo(stack)
    assert said[0] == "ALTER SYSTEM RESET max_connections"
    assert said.count("restart postgres") == restarts
