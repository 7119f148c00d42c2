"""A publish moves the tables that changed; the others are named as they are, and Nessie watches over them too."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeproof.lake.nessie import IcebergTable, Merged, Reference
from lakeproof.lake.publish import followed
from lakeproof.lake.publish import publisher as module
from lakeproof.lake.publish.audit import TableState
from lakeproof.lake.publish.commit import DatabaseState
from lakeproof.lake.publish.cut import Cut
from lakeproof.lake.publish.metrics import PublisherMetrics
from lakeproof.lake.publish.publisher import Publisher

TABLES = ("cdc_heartbeat", "orders")
MAIN = Reference("BRANCH", "main", "0" * 16)


class Store:
    """Each table's first snapshot, of checkpoint 1; `copies`: the names of the published copies."""

    def __init__(self) -> None:
        self.objects = {f"wh/oltp.db/{table}/schema/schema-0": b'{"primaryKeys": []}' for table in TABLES}
        self.copies: list[str] = []
        for table in TABLES:
            self.write(table, 1)

    def write(self, table: str, number: int, *, rows: int = 0) -> None:
        """An APPEND of the checkpoint with the same number."""
        found = {"id": number, "commitIdentifier": number, "commitKind": "APPEND", "schemaId": 0, "commitUser": "job"}
        text = json.dumps(found | {"deltaRecordCount": rows}).encode()
        self.objects[f"wh/oltp.db/{table}/snapshot/snapshot-{number}"] = text
        self.objects[f"wh/oltp.db/{table}/snapshot/LATEST"] = str(number).encode()

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

    def commit_tables(
        self, branch: Reference, namespace: str, tables: dict[str, IcebergTable], message: str, properties: Any
    ) -> Reference:
        self.commits.append(tables)
        self.properties.append(properties)
        return branch

    def merge(self, source: Reference, target: Reference, message: str, properties: Any) -> Merged:
        return Merged(target, target.hash)


class Known(Publisher):
    """A publisher of tables whose first checkpoint is published, and whose states hold no file."""

    def _read_head(self) -> Any:
        state = DatabaseState(1, None, None, dict.fromkeys(TABLES, 1), datetime.now(UTC))
        return module._Head(MAIN, MAIN, {"oltp": state}, {"oltp": state})

    def _state(self, database: str, table: str, cut: Cut) -> TableState:
        number = cut.snapshots[table].id
        fields = [{"name": "beat_us", "id": 1}, {"name": "gtid", "id": 2}]
        return TableState(
            {
                "current-snapshot-id": number,
                "snapshots": [{"snapshot-id": number, "schema-id": 0}],
                "schemas": [{"schema-id": 0, "fields": fields}],
                "current-schema-id": 0,
                "default-spec-id": 0,
                "default-sort-order-id": 0,
            },
            (),
        )


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(followed, "table_names", lambda database: TABLES)
    return Store()


@pytest.fixture
def nessie() -> Nessie:
    return Nessie()


@pytest.fixture
def publisher(store: Store, nessie: Nessie) -> Publisher:
    return Known(store, nessie, PublisherMetrics())  # type: ignore[arg-type]


def test_a_table_without_a_row_is_named_as_it_is_and_not_copied(
    store: Store, nessie: Nessie, publisher: Publisher
) -> None:
    for table in TABLES:
        store.write(table, 2)
    published = publisher.round()
    assert published is not None
    assert (published.checkpoint, published.snapshots) == (2, {"cdc_heartbeat": 2, "orders": 1})
    assert store.copies == ["cdc_heartbeat"]
    assert nessie.commits[0]["orders"] == IcebergTable("s3://orders", 1, 0, 0, 0, "id of orders")
    assert nessie.commits[0]["cdc_heartbeat"].content_id == "id of cdc_heartbeat"
    assert nessie.properties[0]["snapshot.orders"] == "1"


def test_it_moves_once_a_row_came_and_nessie_is_not_asked_again(
    store: Store, nessie: Nessie, publisher: Publisher
) -> None:
    for number, rows in ((2, 0), (3, 7)):
        store.write("cdc_heartbeat", number)
        store.write("orders", number, rows=rows)
        publisher.round()
    assert [commit["orders"].snapshot_id for commit in nessie.commits] == [1, 3]
    assert store.copies == ["cdc_heartbeat", "cdc_heartbeat", "orders"]
    assert nessie.asked == 1


def test_what_nessie_holds_otherwise_is_published_anew(store: Store, nessie: Nessie, publisher: Publisher) -> None:
    nessie.held["orders"] = 7
    for table in TABLES:
        store.write(table, 2)
    published = publisher.round()
    assert published is not None and published.snapshots == {"cdc_heartbeat": 2, "orders": 2}
