"""A connector is handed over in the right order: table, reader, publication, connector, then its earlier rows."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answering

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.lake.capture import missed, publication, registered, registration, slot
from lakeproof.lake.capture.connector import Connector, find_connector, render
from lakeproof.lake.capture.new_tables import require_readers
from lakeproof.lake.sources import mariadb, postgres
from lakeproof.lake.sources.engine import Ask
from lakeproof.lake.sources.source import SHOP
from lakeproof.stack import provisioned
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

NEW = "support.coupons"


class World:
    """Connect's one configuration, PostgreSQL's publication and tables, and what was done, in order."""

    def __init__(self, listed: Connector) -> None:
        self.listed = listed
        self.more = listed.model_copy(update={"tables": (*listed.tables, NEW)})
        self.live: dict[str, str] | None = None
        self.tables = {*listed.tables, "capture.cdc_signal", NEW}
        self.published = set(self.tables - {NEW})
        self.full: set[str] = set()
        self.without_key: set[str] = set()
        self.slot = True
        self.done: list[str] = []
        self.refuses = self.breaks = False

    def read(self, stack: Stack, connector: Connector, tables: Sequence[str]) -> None:
        if self.breaks:
            raise KeyboardInterrupt
        self.done.append(f"rows {' '.join(tables)}")

    def connect(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if path == "/":
            return 200, {"kafka_cluster_id": "k"}
        if method == "PUT":
            if self.refuses:
                return 400, {"message": "no"}
            self.done.append("connector")
            self.live = json.loads(body)
        elif self.live is None:
            return 404, {}
        return 200, self.live

    @contextmanager
    def at_one_instant(self, stack: Stack, database: str, seconds: float) -> Iterator[Ask]:
        yield lambda sql: []

    def described(self, ask: Ask, schema: str, table: str) -> list[tuple[str, str, bool]]:
        name = f"{schema}.{table}"
        return [("id", "bigint", name not in self.without_key)] if name in self.tables else []

    def ask(self, stack: Stack, connector: Connector, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        stack.secret("postgres-root")
        return self.look_up(stack, connector, sql, *args)

    def look_up(self, stack: Stack, connector: Connector, sql: str, *args: Any) -> list[tuple[Any, ...]]:
        if sql.startswith("SELECT schemaname"):
            return [(table,) for table in self.published]
        if "pg_class" in sql:
            return [(args[0] not in self.full, "r")] if args[0] in self.tables else []
        if "pg_publication " in sql:
            return [(1,)] if self.published else []
        if sql.startswith("ALTER"):
            self.done.append(" ".join(sql.split()[1:2] + sql.split()[-1:]))
            self.published |= {sql.split()[-1]} if "PUBLICATION" in sql else set()
        return [(1,)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(find_connector("shop"))
    monkeypatch.setattr(registration, "find_connector", lambda name: made.more)
    monkeypatch.setattr("lakeproof.lake.capture.new_tables.find_connector", lambda name: made.more)
    monkeypatch.setattr(publication, "ask", made.ask)
    monkeypatch.setattr(publication, "look_up", made.look_up)
    monkeypatch.setattr(
        slot, "look", lambda stack, connector: slot.Slot("lake", "reserved", True, 0) if made.slot else None
    )
    monkeypatch.setattr(registration, "read_existing_rows", made.read)
    for engine in (mariadb, postgres):
        monkeypatch.setattr(engine, "at_one_instant", made.at_one_instant)
        monkeypatch.setattr(engine, "described", made.described)
    monkeypatch.setattr(mariadb, "has_rows", lambda stack, connector, table: True)
    return made


@pytest.fixture
def stack(world: World, tmp_path: Path, answering: Answering) -> Stack:
    endpoints = {
        "connect": {"http": answering(world.connect)},
        "kafka": {"tcp": "k:9092"},
        "postgres": {"tcp": "p:1"},
        "mysql": {"tcp": "m:1"},
    }
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints, secrets={"postgres-root": "s"}))
    world.live = render(stack, world.listed)
    return stack


def test_a_new_table_is_published_before_it_is_captured_and_read_after(stack: Stack, world: World) -> None:
    registration.register(stack, "shop")
    assert world.done == ["TABLE FULL", f"PUBLICATION {NEW}", "connector", f"rows {NEW}"]


NAMES = ["shop", "orders"]


@pytest.fixture
def new(stack: Stack, world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    """The new table of that connector, which `register` takes from now on."""
    if name == "shop":
        return NEW
    orders = find_connector(name)
    world.live = render(stack, orders)
    more = orders.model_copy(update={"tables": (*orders.tables, "coupons")})
    monkeypatch.setattr(registration, "find_connector", lambda name: more)
    world.tables.add("oltp.coupons")
    return "oltp.coupons"


@pytest.mark.parametrize("name", NAMES)
def test_a_table_that_the_database_does_not_have_is_refused_before_anything_is_done(
    stack: Stack, world: World, name: str, new: str
) -> None:
    """Of MariaDB's the connector got its list, and only then was the table looked at."""
    world.tables.remove(new)
    with pytest.raises(InvalidInput) as refused:
        registration.register(stack, name)
    server = {"shop": "PostgreSQL", "orders": "MariaDB"}[name]
    assert f"{new}: {server} has no such table" in refused.value.message
    assert "CREATE TABLE first" in refused.value.message
    assert world.done == []


@pytest.mark.parametrize("name", NAMES)
def test_a_table_with_rows_and_no_primary_key_is_refused_before_anything_is_done(
    stack: Stack, world: World, name: str, new: str
) -> None:
    world.without_key.add(new)
    with pytest.raises(InvalidInput, match=f"{new}: it has rows and no primary key"):
        registration.register(stack, name)
    assert world.done == []


def test_an_empty_table_needs_no_primary_key(stack: Stack, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.without_key.add(NEW)
    monkeypatch.setattr(postgres, "has_rows", lambda stack, connector, table: False)
    registration.register(stack, "shop")
    assert "connector" in world.done


def test_without_a_publication_it_says_so_and_captures_nothing(stack: Stack, world: World) -> None:
    world.published.clear()
    with pytest.raises(InvalidInput, match="no publication lake"):
        registration.register(stack, "shop")
    assert world.done == []


def test_a_deleted_connector_with_a_new_table_in_its_file_knows_by_the_publication(
    stack: Stack, world: World
) -> None:
    world.live = None
    registration.register(stack, "shop")
    assert world.done[-3:] == [f"PUBLICATION {NEW}", "connector", f"rows {NEW}"]


def test_a_first_connector_reads_every_row_by_its_own_first_snapshot(stack: Stack, world: World) -> None:
    world.live, world.slot = None, False
    registration.provision(stack, SHOP)
    assert world.done[-2:] == [f"PUBLICATION {NEW}", "connector"]


def test_a_start_never_begins_to_capture_a_new_table(
    stack: Stack, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    registration.provision(stack, SHOP)
    assert world.done == []
    assert "lakeproof capture register shop" in caplog.text


def test_without_a_reader_it_says_what_comes_first(
    stack: Stack, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeproof.lake.capture.new_tables.rest_of", lambda stack: None)
    monkeypatch.setattr("lakeproof.lake.capture.new_tables.find_job", lambda flink, database: None)
    with pytest.raises(InvalidInput) as refused:
        require_readers(stack, "shop")
    assert NEW in refused.value.message
    assert "lakeproof lake redeploy --database shop" in refused.value.message
    assert "lakeproof capture register shop" in refused.value.message


def test_what_stands_already_is_left_alone(stack: Stack, world: World) -> None:
    world.live = render(stack, world.more)
    registration.register(stack, "shop")
    assert world.done == []


def test_a_stack_of_before_gets_the_table_of_signals_published(stack: Stack, world: World) -> None:
    world.published.remove("capture.cdc_signal")
    registration.register(stack, "shop")
    assert "PUBLICATION capture.cdc_signal" in world.done


def test_rows_that_a_cut_off_command_did_not_come_to_are_read_by_the_next(stack: Stack, world: World) -> None:
    world.breaks = True
    with pytest.raises(KeyboardInterrupt):
        registration.register(stack, "shop")
    assert registration.unread_tables(stack, world.more) == [NEW]
    world.breaks = False
    world.done.clear()
    registration.register(stack, "shop")
    assert world.done == [f"rows {NEW}"]
    registration.register(stack, "shop")
    assert world.done == [f"rows {NEW}"]


def test_of_a_deleted_connector_that_connect_refused_first_the_new_rows_are_read_all_the_same(
    stack: Stack, world: World
) -> None:
    world.live, world.refuses = None, True
    with pytest.raises(TerminalError):
        registration.register(stack, "shop")
    assert NEW in world.published
    world.refuses = False
    registration.register(stack, "shop")
    assert world.done[-2:] == ["connector", f"rows {NEW}"]


@pytest.mark.parametrize("name", ["orders"])
def test_rows_of_mariadb_that_a_cut_off_command_did_not_come_to_are_read_by_the_next(
    stack: Stack, world: World, name: str, new: str
) -> None:
    world.breaks = True
    with pytest.raises(KeyboardInterrupt):
        registration.register(stack, name)
    world.breaks = False
    registration.register(stack, name)
    assert world.done == ["connector", f"rows {new}"]


@pytest.fixture
def without_root(stack: Stack) -> Stack:
    """Somebody else's stack, which gave us no superuser."""
    return Stack(stack.settings.model_copy(update={"secrets": {}}))


def test_a_deleted_connector_of_which_all_is_published_needs_no_superuser(without_root: Stack, world: World) -> None:
    world.more, world.live = world.listed, None
    registration.register(without_root, "shop")
    assert world.done == ["connector"]


def test_without_a_superuser_it_says_what_to_run_and_goes_on_where_somebody_did(
    without_root: Stack, world: World, stack: Stack
) -> None:
    world.live = None
    with pytest.raises(InvalidInput) as refused:
        registration.register(without_root, "shop")
    sql = f"ALTER TABLE {NEW} REPLICA IDENTITY FULL; ALTER PUBLICATION lake ADD TABLE {NEW};"
    assert sql in refused.value.message
    assert world.done == []
    world.published.add(NEW)
    with pytest.raises(InvalidInput, match="postgres-root"):  # its rows are asked for by one in cdc_signal
        registration.register(without_root, "shop")
    assert world.done == []
    registration.register(stack, "shop")
    assert world.done == ["connector", f"rows {NEW}"]


def test_a_database_that_has_no_table_of_signals_is_told_how_to_make_it(stack: Stack, world: World) -> None:
    world.tables.remove("capture.cdc_signal")
    world.published.remove("capture.cdc_signal")
    with pytest.raises(InvalidInput) as refused:
        registration.register(stack, "shop")
    assert "CREATE TABLE capture.cdc_signal (id varchar(64) PRIMARY KEY" in refused.value.message
    assert "ADD TABLE capture.cdc_signal" in refused.value.message
    assert world.done == []


@pytest.mark.parametrize("by", ["register", "provision"])
@pytest.mark.parametrize(
    ("live", "noted"),
    [
        ({"skipped.operations": "u"}, True),
        ({"table.include.list": "payment.payments"}, True),
        ({"poll.interval.ms": "7"}, False),
        ({}, False),  # the file is newer: nobody has changed what was registered
    ],
)
def test_a_changed_connector_that_is_registered_anew_is_known_to_have_missed_something(
    stack: Stack, world: World, by: str, live: dict[str, str], noted: bool
) -> None:
    """Its configuration told of that until then: it read as healthy."""
    before = render(stack, world.listed) | {"decimal.handling.mode": "precise"}
    registered.remember(stack, world.listed, before)
    world.more, world.live = world.listed, before | live
    if by == "provision" and "table.include.list" in live:
        registration.provision(stack, SHOP)  # takes its file for one with new tables, and leaves it alone
        assert registered.changed_keys(world.live, registered.as_registered(stack, world.listed))
        return
    registration.register(stack, "shop") if by == "register" else registration.provision(stack, SHOP)
    assert world.live == render(stack, world.listed)
    assert registered.as_registered(stack, world.listed) == world.live
    assert missed.is_noted(stack, SHOP, missed.BY_CONNECTOR) is noted


@pytest.mark.parametrize("by", ["register", "provision"])
@pytest.mark.parametrize("changed", [False, True])
def test_of_a_version_of_before_a_newer_file_is_no_change_of_somebodys(
    stack: Stack, world: World, by: str, changed: bool
) -> None:
    """It noted a digest alone. One that was changed as well cannot be told from one that is only old."""
    world.more = world.listed
    before = render(stack, world.listed) | {"database.port": "7"}
    made = provisioned.digest("k", json.dumps(before, sort_keys=True))
    provisioned.remember(stack, "connect", "connector shop", made)
    world.live = before | ({"skipped.operations": "u"} if changed else {})
    registration.register(stack, "shop") if by == "register" else registration.provision(stack, SHOP)
    assert world.live == registered.as_registered(stack, world.listed) == render(stack, world.listed)
    assert not missed.is_noted(stack, SHOP, missed.BY_CONNECTOR)


def test_a_newer_file_of_which_the_start_takes_nothing_changes_nothing_in_what_was_registered(
    stack: Stack, world: World
) -> None:
    """Its new table was called a change of the connector's, and the repair captured it past its reader."""
    before = render(stack, world.listed)
    provisioned.remember(
        stack, "connect", "connector shop", provisioned.digest("k", json.dumps(before, sort_keys=True))
    )
    registration.provision(stack, SHOP)
    assert world.done == [] and registered.as_registered(stack, world.more) == before


def test_what_was_changed_before_anything_was_noted_is_not_noted_as_registered(stack: Stack, world: World) -> None:
    before = render(stack, world.listed)
    provisioned.remember(
        stack, "connect", "connector shop", provisioned.digest("k", json.dumps(before, sort_keys=True))
    )
    world.live = before | {"skipped.operations": "u"}
    registration.provision(stack, SHOP)
    assert world.done == [] and not registered.is_known(stack, world.more)


def test_what_a_version_of_before_registered_is_noted_at_the_next_start(stack: Stack, world: World) -> None:
    world.more = world.listed
    registration.provision(stack, SHOP)
    provisioned.remember(stack, "connect", "configuration of shop", "")
    registration.provision(stack, SHOP)
    assert registered.is_known(stack, world.listed) and world.done == []
