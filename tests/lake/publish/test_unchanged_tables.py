"""A publish moves the tables that changed; the others are named as they are, and Nessie watches over them too.

Whichever database is published.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeproof.lake.nessie import IcebergTable, Merged, Reference
from lakeproof.lake.publish import followed
from lakeproof.lake.publish import publisher as module
from lakeproof.lake.publish.audit import AuditFailed, TableState
from lakeproof.lake.publish.commit import DatabaseState
from lakeproof.lake.publish.cut import Cut
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.publisher import Publisher
from lakeproof.lake.sources.source import OLTP, SHOP, SOURCES, Source

TABLES = ("cdc_heartbeat", "orders")
MAIN = Reference("BRANCH", "main", "0" * 16)


class Store:
    """Each table's first snapshot, of checkpoint 1; `copies`: the names of the published copies."""

    def __init__(self, database: str) -> None:
        self.folder = f"wh/{database}.db"
        self.objects = {f"{self.folder}/{table}/schema/schema-0": b'{"primaryKeys": []}' for table in TABLES}
        self.copies: list[str] = []
        for table in TABLES:
            self.write(table, 1)

    def write(self, table: str, number: int, *, rows: int = 0, total: int = 0) -> None:
        """An APPEND of the checkpoint with the same number. total: rows that the table has after it."""
        found = {"id": number, "commitIdentifier": number, "commitKind": "APPEND", "schemaId": 0, "commitUser": "job"}
        text = json.dumps(found | {"deltaRecordCount": rows, "totalRecordCount": total}).encode()
        self.objects[f"{self.folder}/{table}/snapshot/snapshot-{number}"] = text
        self.objects[f"{self.folder}/{table}/snapshot/LATEST"] = str(number).encode()

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        content = self.objects[Key]
        return {"Body": type("Body", (), {"read": lambda self: content})()}

    def put_object(self, Bucket: str, Key: str, **_: object) -> None:
        self.copies.append(Key.split("/")[3])


class Nessie:
    """What the publisher asks and tells. `held`: table → the snapshot that `ingest` has of it."""

    def __init__(self) -> None:
        self.held = dict.fromkeys(TABLES, 1)
        self.asked = 0
        self.commits: list[dict[str, IcebergTable]] = []
        self.properties: list[Mapping[str, str]] = []

    def contents(self, reference: Reference, namespace: str, tables: Sequence[str]) -> dict[str, IcebergTable]:
        self.asked += 1
        return {table: IcebergTable(f"s3://{table}", self.held[table], 0, 0, 0, f"id of {table}") for table in tables}

    def has_namespace(self, reference: Reference, name: str) -> bool:
        return True

    def commit_tables(
        self, branch: Reference, namespace: str, tables: dict[str, IcebergTable], message: str, properties: Any
    ) -> Reference:
        self.commits.append(tables)
        self.properties.append(properties)
        return branch

    def merge(self, source: Reference, target: Reference, message: str, properties: Any) -> Merged:
        return Merged(target, target.hash)


class Known(Publisher):
    """A publisher of tables whose first checkpoint is published, and whose states hold no file.

    published: the databases that are.
    """

    published = SOURCES

    def _read_head(self) -> Any:
        state = DatabaseState(1, None, None, dict.fromkeys(TABLES, 1), datetime.now(UTC))
        states = {source.name: state for source in self.published}
        return module._Head(MAIN, MAIN, states, states)

    def _state(self, database: str, table: str, cut: Cut) -> TableState:
        number = cut.snapshots[table].id
        fields = [{"name": "beat_us", "id": 1}, {"name": "gtid", "id": 2}]
        return TableState(
            {
                "current-snapshot-id": number,
                "snapshots": [{"snapshot-id": number, "schema-id": 0, "manifest-list": f"snap-{number}.avro"}],
                "schemas": [{"schema-id": 0, "fields": fields}],
                "current-schema-id": 0,
                "default-spec-id": 0,
                "default-sort-order-id": 0,
            },
            (),
        )


@pytest.fixture(params=SOURCES, ids=lambda source: source.name)
def source(request: pytest.FixtureRequest) -> Source:
    found: Source = request.param
    return found


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, source: Source) -> Store:
    monkeypatch.setattr(followed, "table_names", lambda database: TABLES)
    return Store(source.name)


@pytest.fixture
def nessie() -> Nessie:
    return Nessie()


@pytest.fixture
def publisher(store: Store, nessie: Nessie) -> Publisher:
    return Known(store, nessie, PublisherMetrics())  # type: ignore[arg-type]


def test_a_table_without_a_row_is_named_as_it_is_and_not_copied(
    store: Store, nessie: Nessie, publisher: Publisher, source: Source
) -> None:
    for table in TABLES:
        store.write(table, 2)
    published = publisher.round(source)
    assert published is not None
    assert (published.checkpoint, published.snapshots) == (2, {"cdc_heartbeat": 2, "orders": 1})
    assert store.copies == ["cdc_heartbeat"]
    assert nessie.commits[0]["orders"] == IcebergTable("s3://orders", 1, 0, 0, 0, "id of orders")
    assert nessie.commits[0]["cdc_heartbeat"].content_id == "id of cdc_heartbeat"
    assert nessie.properties[0][f"{source.prefix('.')}snapshot.orders"] == "1"


def test_it_moves_once_a_row_came_and_nessie_is_not_asked_again(
    store: Store, nessie: Nessie, publisher: Publisher, source: Source
) -> None:
    for number, rows in ((2, 0), (3, 7)):
        store.write("cdc_heartbeat", number)
        store.write("orders", number, rows=rows)
        publisher.round(source)
    assert [commit["orders"].snapshot_id for commit in nessie.commits] == [1, 3]
    assert store.copies == ["cdc_heartbeat", "cdc_heartbeat", "orders"]
    assert nessie.asked == 1


def test_what_nessie_holds_otherwise_is_published_anew(
    store: Store, nessie: Nessie, publisher: Publisher, source: Source
) -> None:
    nessie.held["orders"] = 7
    for table in TABLES:
        store.write(table, 2)
    published = publisher.round(source)
    assert published is not None and published.snapshots == {"cdc_heartbeat": 2, "orders": 2}


def test_the_quick_audit_refuses_a_state_with_rows_that_readers_do_not_see(
    store: Store, nessie: Nessie, publisher: Publisher, source: Source
) -> None:
    store.write("cdc_heartbeat", 2)
    store.write("orders", 2, rows=7, total=7)
    with pytest.raises(AuditFailed, match="readers see 0 rows, Paimon counts 7"):
        publisher.round(source)
    name = "lakeproof_publish_unreadable_rows"
    assert publisher._metrics.registry.get_sample_value(name, {"database": source.name}) == 7
    assert (store.copies, nessie.commits) == ([], [])


def test_a_freeze_keeps_a_new_state_off_main(
    store: Store, nessie: Nessie, publisher: Publisher, source: Source
) -> None:
    for table in TABLES:
        store.write(table, 2)
    assert publisher.round(source, frozen=True) is None
    assert nessie.commits == []
    assert publisher.round(source) is not None


def test_the_series_without_a_label_tell_of_the_first_source_alone(
    store: Store, publisher: Publisher, source: Source
) -> None:
    value = publisher._metrics.registry.get_sample_value
    for table in TABLES:
        store.write(table, 2)
    publisher.round(source)
    for name in ("lakeproof_publish_last_timestamp_seconds", "lakeproof_publish_checkpoint"):
        assert bool(value(name)) == source.first, name
    assert value("lakeproof_publish_database_timestamp_seconds", {"database": source.name})


@pytest.mark.parametrize("source", [SHOP], indirect=True)
def test_nothing_of_another_source_is_published_before_the_first_one(
    store: Store, nessie: Nessie, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that tells nothing of the first source is no published state to its readers."""
    for table in TABLES:
        store.write(table, 2)
    monkeypatch.setattr(Known, "published", (SHOP,))
    assert publisher.round(SHOP) is None
    assert nessie.commits == []
    publisher._head = None
    monkeypatch.setattr(Known, "published", (OLTP,))
    assert publisher.round(SHOP) is not None
    assert (nessie.properties[0]["checkpoint"], nessie.properties[0]["shop.checkpoint"]) == ("1", "2")
