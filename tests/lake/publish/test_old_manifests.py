"""Which of Iceberg's manifests go: none that a promised hash needs, nor one that Paimon still reads."""

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import orjson
import pytest
from botocore.exceptions import ClientError

from lakeproof.lake.publish.metadata import metadata_folder, metadata_key, published_key
from lakeproof.lake.publish.old_manifests import remove_old_manifests

FOLDER = metadata_folder("oltp", "orders")
KEPT = 20 * 60.0
LIST_SCHEMA = {"type": "record", "name": "entry", "fields": [{"name": "manifest_path", "type": "string"}]}
NOW = datetime.now(UTC)


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


class Table:
    """A bucket with one table. `snapshot` writes a snapshot's list and its new manifests, as old as the snapshot."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.snapshots: dict[int, dict[str, Any]] = {}

    def snapshot(self, number: int, minutes: float, new: Sequence[str], kept: Sequence[str] = ()) -> None:
        """new: the manifests that it writes. kept: those of earlier snapshots that it needs too."""
        at = minutes_ago(minutes)
        content = io.BytesIO()
        paths = [{"manifest_path": f"s3://lake/{FOLDER}{name}.avro"} for name in (*kept, *new)]
        fastavro.writer(content, LIST_SCHEMA, paths)
        self.objects[f"{FOLDER}snap-{number}.avro"] = content.getvalue(), at
        self.objects |= {f"{FOLDER}{name}.avro": (b"", at) for name in new}
        self.snapshots[number] = {
            "snapshot-id": number,
            "timestamp-ms": int(at.timestamp() * 1000),
            "manifest-list": f"s3://lake/{FOLDER}snap-{number}.avro",
        }

    def metadata(self, newest: int, oldest: int) -> None:
        """Paimon's newest metadata, which tells of the snapshots from `oldest` on."""
        content = self._metadata(newest, range(oldest, newest + 1))
        self.objects[metadata_key("oltp", "orders", newest)] = content, NOW

    def publish(self, number: int, minutes: float, name: str = "ab") -> None:
        at = minutes_ago(minutes)
        key = published_key("oltp", "orders", int(at.timestamp() * 1000), number, name)
        self.objects[key] = self._metadata(number, [number]), at

    def _metadata(self, current: int, told: Sequence[int]) -> bytes:
        snapshots = [self.snapshots[number] for number in told if number in self.snapshots]
        return orjson.dumps({"current-snapshot-id": current, "snapshots": snapshots})

    def names(self) -> set[str]:
        """The manifests and lists that are there, without their endings."""
        found = (key.removeprefix(FOLDER) for key in self.objects if key.startswith(FOLDER))
        return {name.removesuffix(".avro") for name in found if name.endswith(".avro")}

    def get_paginator(self, name: str) -> "Table":
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[Mapping[str, Any]]:
        found = [(key, at) for key, (_, at) in sorted(self.objects.items()) if key.startswith(Prefix)]
        return [{"Contents": [{"Key": key, "LastModified": at} for key, at in found]}]

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.objects[Key][0])}

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        for entry in Delete["Objects"]:
            del self.objects[entry["Key"]]
        return {}

    def clean(self, newest: int) -> int:
        return remove_old_manifests(self, "oltp", {"orders": newest}, KEPT)


@pytest.fixture
def table() -> Table:
    """Five snapshots. m1 is needed by all of them, m2 was dropped by the third, m3 by the fourth."""
    table = Table()
    table.snapshot(1, 60, ["m1"])
    table.snapshot(2, 50, ["m2"], ["m1"])
    table.snapshot(3, 40, ["m3"], ["m1"])
    table.snapshot(4, 15, ["m4"], ["m1"])
    table.snapshot(5, 5, ["m5"], ["m1", "m4"])
    return table


def test_what_a_promised_hash_needs_stays_however_old_it_is(table: Table) -> None:
    table.metadata(5, oldest=4)
    table.publish(3, 40)
    table.publish(4, 15)
    table.publish(5, 5)
    assert table.clean(5) == 5
    assert table.names() == {"snap-4", "snap-5", "m1", "m4", "m5"}
    assert table.clean(5) == 0


def test_after_paimon_wrote_all_anew_what_was_promised_before_stays(table: Table) -> None:
    """Its newest metadata knows of no earlier snapshot then."""
    table.metadata(5, oldest=5)
    table.publish(4, 15)
    table.publish(5, 5)
    table.clean(5)
    assert table.names() == {"snap-4", "snap-5", "m1", "m4", "m5"}


def test_what_paimon_has_not_let_go_stays_though_nobody_is_promised_it(table: Table) -> None:
    table.metadata(5, oldest=2)
    table.publish(5, 5)
    assert table.clean(5) == 1
    assert table.names() == {"snap-2", "snap-3", "snap-4", "snap-5", "m1", "m2", "m3", "m4", "m5"}


def test_the_newest_copy_counts_however_old_it_is(table: Table) -> None:
    table.metadata(5, oldest=5)
    table.publish(2, 50)
    table.publish(3, 40)
    table.clean(5)
    assert table.names() == {"snap-3", "snap-4", "snap-5", "m1", "m3", "m4", "m5"}


def test_a_copy_under_a_tag_keeps_nothing_as_its_data_goes_too(table: Table) -> None:
    table.metadata(5, oldest=4)
    table.publish(1, 60)
    table.publish(5, 5)
    table.clean(5)
    assert "snap-1" not in table.names() and "m2" not in table.names()


def test_what_was_just_written_stays_though_no_snapshot_tells_of_it_yet(table: Table) -> None:
    table.metadata(5, oldest=5)
    table.publish(5, 5)
    table.objects[f"{FOLDER}snap-6.avro"] = b"", NOW
    table.objects[f"{FOLDER}orphan.avro"] = b"", minutes_ago(30)
    table.clean(5)
    assert "snap-6" in table.names() and "orphan" not in table.names()


def test_nothing_goes_where_nothing_is_published_or_a_list_is_missing(table: Table) -> None:
    before = table.names()
    table.metadata(5, oldest=5)
    assert table.clean(5) == 0
    table.publish(5, 5)
    assert table.clean(6) == 0, "Paimon's newest metadata is not there yet"
    del table.objects[f"{FOLDER}snap-5.avro"]
    assert table.clean(5) == 0
    assert table.names() == before - {"snap-5"}
