"""A table that PostgreSQL has already is captured under load: its rows and all changes are in the topic, in order."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import publication, registration
from lakeproof.lake.capture.commands import await_state
from lakeproof.lake.capture.connector import Connector, find_connector
from lakeproof.lake.sources.source import SHOP
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(600)]

TABLE = "support.coupons"
ROWS = 5_000


@pytest.fixture(scope="module")
def client(stack: Stack, up: Callable[..., SupervisorClient]) -> SupervisorClient:
    started = up("connect", "postgres")
    registration.provision(stack, SHOP)
    await_state(stack, "shop", "RUNNING", seconds=60)
    return started


@pytest.fixture
def with_coupons(monkeypatch: pytest.MonkeyPatch) -> Connector:
    """The connector's file with one more line."""
    found = find_connector("shop")
    more = found.model_copy(update={"tables": (*found.tables, TABLE)})
    monkeypatch.setattr(registration, "find_connector", lambda name: more)
    return more


def root(stack: Stack, sql: str, *args: object) -> list[tuple[Any, ...]]:
    return postgres_session.select(stack, "postgres", "postgres-root", sql, *args, database="shop")


class Writer(threading.Thread):
    """Inserts, changes and deletes coupons until told to stop."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self.stack, self.stop, self.written = stack, threading.Event(), 0

    def run(self) -> None:
        with postgres_session.connection(self.stack, "postgres", "postgres-root", 600.0, "shop") as session:
            while not self.stop.is_set():
                self._one(session)
                self.written += 1
                time.sleep(0.005)

    def _one(self, session: postgres_session.Session) -> None:
        with session.transaction():
            ((made,),) = session.rows(f"INSERT INTO {TABLE} (discount) VALUES (1) RETURNING id")
            session.rows(f"UPDATE {TABLE} SET discount = discount + 1 WHERE id % 500 = $1", made % 500)
            session.rows(f"DELETE FROM {TABLE} WHERE id = $1", (made * 7) % ROWS)


def replayed(stack: Stack, wanted: dict[int, int]) -> dict[int, int]:
    """What the topic's events of the table come to, one after another: `wanted`, or what it is after a minute."""
    consumer = Consumer(
        {
            "bootstrap.servers": stack.address("kafka", "tcp"),
            "group.id": "test-coupons",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition("cdc.shop", 0, 0)])
    rows: dict[int, int] = {}
    deadline = Deadline(60)
    try:
        while rows != wanted and not deadline.expired:
            for message in consumer.consume(1000, timeout=0.5):
                value = json.loads(message.value() or b"{}")
                if (value.get("source") or {}).get("table") != "coupons":
                    continue
                if value["op"] == "d":
                    rows.pop(value["before"]["id"], None)
                else:
                    rows[value["after"]["id"]] = value["after"]["discount"]
    finally:
        consumer.close()
    return rows


def test_a_table_that_is_not_there_is_refused_and_nothing_changes(
    stack: Stack, client: SupervisorClient, with_coupons: Connector
) -> None:
    before = publication.published(stack, with_coupons)
    with pytest.raises(InvalidInput, match="CREATE TABLE first"):
        registration.register(stack, "shop")
    assert publication.published(stack, with_coupons) == before
    live = registration.live_config(stack, "shop")
    assert live is not None and TABLE not in live["table.include.list"]


def test_its_earlier_rows_and_every_change_come_in_order_under_load(
    stack: Stack, client: SupervisorClient, with_coupons: Connector
) -> None:
    root(stack, f"CREATE TABLE {TABLE} (id bigserial PRIMARY KEY, discount int NOT NULL)")
    root(stack, f"INSERT INTO {TABLE} (discount) SELECT g % 50 FROM generate_series(1, {ROWS}) g")
    writer = Writer(stack)
    writer.start()
    Deadline(30).wait_for("rows from before", lambda: True if writer.written > 100 else None)
    began = time.monotonic()
    registration.register(stack, "shop")
    took = time.monotonic() - began
    assert TABLE in publication.published(stack, with_coupons)
    so_far = writer.written
    Deadline(60).wait_for("later rows", lambda: True if writer.written > so_far + 300 else None)
    writer.stop.set()
    writer.join(30)
    wanted = dict(root(stack, f"SELECT id, discount FROM {TABLE}"))
    found = replayed(stack, wanted)
    missing = sorted(wanted.keys() - found.keys())[:5]
    surplus = sorted(found.keys() - wanted.keys())[:5]
    stale = [key for key, value in wanted.items() if key in found and found[key] != value][:5]
    assert (missing, surplus, stale) == ([], [], [])
    print(f"registered in {took:.1f} s under {writer.written} transactions; {len(wanted)} rows right in the topic")


def test_a_repeated_register_changes_nothing(stack: Stack, client: SupervisorClient, with_coupons: Connector) -> None:
    before = publication.published(stack, with_coupons)
    registration.register(stack, "shop")
    assert publication.published(stack, with_coupons) == before
