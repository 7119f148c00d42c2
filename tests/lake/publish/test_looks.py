"""Whom a publisher asks while it waits for a checkpoint's rest, and that no table is forgotten over it."""

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeproof.errors import CouldNotLook
from lakeproof.lake.nessie import Reference
from lakeproof.lake.publish import followed
from lakeproof.lake.publish import publisher as module
from lakeproof.lake.publish.commit import DatabaseState
from lakeproof.lake.publish.cut import Cut, choose_cut
from lakeproof.lake.publish.followed import LOOKS_AT_ALL
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.publisher import Publisher, RoundFailed
from lakeproof.lake.sources.source import OLTP

TABLES = ("orders", "order_items", "order_events")
ONE = TABLES[0]  # the one that is looked at while nothing is begun, as there is no heartbeat here
PUBLISHED = datetime(2026, 1, 2, tzinfo=UTC)
BEAT_US = 1_700_000_000_000_000


class Store:
    """A bucket with Paimon's snapshot files; `asked`: how often for which table's next snapshot."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.asked: dict[str, int] = {}
        for table in TABLES:
            self.write(table, 1, checkpoint=1)
            self.objects[f"wh/oltp.db/{table}/schema/schema-0"] = json.dumps({"primaryKeys": []}).encode()

    def write(self, table: str, number: int, checkpoint: int, writer: str = "job") -> None:
        self.objects[f"wh/oltp.db/{table}/snapshot/LATEST"] = str(number).encode()
        self.objects[f"wh/oltp.db/{table}/snapshot/snapshot-{number}"] = json.dumps(
            {
                "id": number,
                "commitIdentifier": checkpoint,
                "commitKind": "APPEND",
                "schemaId": 0,
                "commitUser": writer,
            }
        ).encode()

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if "/snapshot/snapshot-" in Key:
            table = Key.split("/")[2]
            self.asked[table] = self.asked.get(table, 0) + 1
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        content = self.objects[Key]
        return {"Body": type("Body", (), {"read": lambda self: content})()}


class Head(Publisher):
    """A publisher that knows what is published without asking Nessie."""

    def _read_head(self) -> Any:
        at = Reference("BRANCH", "main", "0" * 16)
        state = DatabaseState(1, None, BEAT_US, dict.fromkeys(TABLES, 1), PUBLISHED)
        return module._Head(at, at, {"oltp": state, "shop": state}, {"oltp": state})


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(followed, "table_names", lambda database: TABLES)
    return Store()


@pytest.fixture
def publisher(store: Store) -> Publisher:
    made = Head(store, None, PublisherMetrics())  # type: ignore[arg-type]
    made.round(OLTP)
    store.asked.clear()
    return made


def test_what_an_earlier_publisher_left_on_main_counts_by_its_own_time_before_anything_is_published(
    publisher: Publisher,
) -> None:
    value = publisher._metrics.registry.get_sample_value
    of = {"database": "oltp"}
    assert value("lakeproof_publish_database_beat_timestamp_seconds", of) == BEAT_US / 1e6
    assert value("lakeproof_publish_database_timestamp_seconds", of) == PUBLISHED.timestamp()
    # A database that is not captured here is on main as well, and nobody misses it.
    assert value("lakeproof_publish_database_beat_timestamp_seconds", {"database": "shop"}) is None


def test_with_nothing_begun_one_table_is_asked_and_all_once_that_one_moves(
    store: Store, publisher: Publisher
) -> None:
    assert publisher.round(OLTP) is None
    assert (store.asked, publisher.sees_next) == ({ONE: 1}, False)
    store.asked.clear()
    store.write(ONE, 2, checkpoint=2)
    assert publisher.round(OLTP) is None
    assert (store.asked, publisher.sees_next) == ({ONE: 2, "order_items": 1, "order_events": 1}, True)


def test_a_table_that_has_what_is_waited_for_is_not_asked_again(store: Store, publisher: Publisher) -> None:
    store.write(ONE, 2, checkpoint=2)
    publisher.round(OLTP)
    assert publisher.sees_next
    store.asked.clear()
    for _ in range(3):
        publisher.round(OLTP)
    assert store.asked == {"order_events": 3, "order_items": 3}
    store.write("order_events", 2, checkpoint=2)
    publisher.round(OLTP)
    store.asked.clear()
    publisher.round(OLTP)
    assert store.asked == {"order_items": 1}


def test_a_state_is_chosen_anew_only_once_a_table_has_moved(
    store: Store, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each choice goes through hundreds of snapshots of each table."""
    chosen: list[Cut | None] = []

    def choose(*seen: Any) -> Cut | None:
        chosen.append(choose_cut(*seen))
        return chosen[-1]

    def no_nessie(*asked: object) -> Any:
        raise CouldNotLook("no Nessie here")

    monkeypatch.setattr(followed, "choose_cut", choose)
    monkeypatch.setattr(publisher, "_held", no_nessie)
    for _ in range(3):
        publisher.round(OLTP)
    assert chosen == []
    for table in TABLES:
        store.write(table, 2, checkpoint=2)
    for _ in range(3):
        with pytest.raises(RoundFailed):
            publisher.round(OLTP)
    assert [cut.checkpoint for cut in chosen if cut] == [2]


def test_now_and_then_all_are_asked_so_that_none_made_anew_is_missed(store: Store, publisher: Publisher) -> None:
    store.write("order_events", 2, checkpoint=2)
    for _ in range(2 * LOOKS_AT_ALL):
        publisher.round(OLTP)
    store.write("order_events", 3, checkpoint=1, writer="a new job")
    for _ in range(LOOKS_AT_ALL):
        publisher.round(OLTP)
    assert publisher.newest("oltp") == {"orders": 1, "order_items": 1, "order_events": 3}


def test_what_another_publisher_committed_and_is_about_to_merge_is_not_committed_again(
    store: Store, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One publisher saw the other's commit on ingest, and main before its merge: main had that checkpoint twice."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    main, ingest = Reference("BRANCH", "main", "0" * 16), Reference("BRANCH", "ingest", "1" * 16)
    old = DatabaseState(1, None, BEAT_US, dict.fromkeys(TABLES, 1), PUBLISHED)
    new = DatabaseState(2, None, BEAT_US, dict.fromkeys(TABLES, 2), PUBLISHED)
    between = module._Head(main, ingest, {"oltp": old}, {"oltp": new})
    assert publisher._another_is_about_to_merge(between, "oltp")
    now[0] += module.MERGE_SECONDS / 2
    assert publisher._another_is_about_to_merge(between, "oltp")
    now[0] += module.MERGE_SECONDS
    # A round of the other database does not begin the wait anew.
    assert not publisher._another_is_about_to_merge(between, "shop")
    assert not publisher._another_is_about_to_merge(between, "oltp")  # it was killed in between
    merged = module._Head(ingest, ingest, {"oltp": new}, {"oltp": new})
    assert not publisher._another_is_about_to_merge(merged, "oltp")
    now[0] += 10
    assert publisher._another_is_about_to_merge(between, "oltp")


class HalfAway(Store):
    """Refuses the first table at once; the second's answer comes later. `under_way`: requests without an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = threading.Event()
        self.under_way = 0

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        table = Key.split("/")[2]
        if table == ONE:
            self.refused.set()
            raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")
        if table == TABLES[1]:
            self.under_way += 1
            self.refused.wait(60)
            threading.Event().wait(0.2)
            self.under_way -= 1
        return super().get_object(Bucket, Key)


@pytest.mark.usefixtures("store")
def test_a_failed_round_is_over_once_all_that_it_asked_is_answered() -> None:
    """Else the next round reads on in the same table as the one before: an IndexError, which ended the publisher."""
    store = HalfAway()
    with pytest.raises(RoundFailed, match="SlowDown"):
        Head(store, None, PublisherMetrics()).round(OLTP)  # type: ignore[arg-type]
    assert store.under_way == 0 and store.refused.is_set()
