"""Which of Iceberg's manifests go: none that a promised hash needs, nor one that Paimon still reads."""

import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import fastavro
import orjson
import pytest
from botocore.exceptions import ClientError

from lakeproof.lake.publish import old_manifests
from lakeproof.lake.publish.metadata import metadata_folder, metadata_key, published_key, stem_of
from lakeproof.lake.publish.old_manifests import remove_old_manifests

FOLDER = metadata_folder("oltp", "orders")
KEPT = 20 * 60.0
LIST_SCHEMA = {"type": "record", "name": "entry", "fields": [{"name": "manifest_path", "type": "string"}]}
NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the test: a suite on a full machine comes to it minutes after it has read this file."""
    monkeypatch.setattr(sys.modules[__name__], "NOW", datetime.now(UTC))


def minutes_ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


class Table:
    """A bucket with one table. `snapshot` writes a snapshot's list and its new manifests, as old as the snapshot.

    store_clock: by how much the store's clock is ahead of the job's.
    """

    def __init__(self, store_clock: timedelta = timedelta(0)) -> None:
        self.store_clock = store_clock
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.snapshots: dict[int, dict[str, Any]] = {}

    def snapshot(self, number: int, minutes: float, new: Sequence[str], kept: Sequence[str] = ()) -> None:
        """new: the manifests that it writes. kept: those of earlier snapshots that it needs too."""
        at = minutes_ago(minutes)
        self.objects[f"{FOLDER}snap-{number}.avro"] = self._list((*kept, *new)), at + self.store_clock
        self.objects |= {f"{FOLDER}{name}.avro": (b"", at + self.store_clock) for name in new}
        self.snapshots[number] = {
            "snapshot-id": number,
            "timestamp-ms": int(at.timestamp() * 1000),
            "manifest-list": f"s3://lake/{FOLDER}snap-{number}.avro",
        }

    def metadata(self, newest: int, oldest: int, minutes: float = 0) -> None:
        """Paimon's metadata of a snapshot, which tells of those from `oldest` on."""
        content = self._metadata(newest, range(oldest, newest + 1))
        self.objects[metadata_key("oltp", "orders", newest)] = content, minutes_ago(minutes)

    def publish(self, number: int, minutes: float, *, lists: Mapping[int, str] | None = None) -> str:
        """A copy, which tells of earlier snapshots too; gives its key. lists: snapshot → its mended list's key."""
        at = minutes_ago(minutes)
        key = published_key("oltp", "orders", int(at.timestamp() * 1000), number, "ab")
        self.objects[key] = self._metadata(number, range(max(1, number - 1), number + 1), lists or {}), at
        return key

    def mended(self, key: str, number: int, names: Sequence[str]) -> str:
        """A mended list beside that copy's name; gives its key."""
        found = f"{stem_of(key)}-{number}.list.avro"
        self.objects[found] = self._list(names), NOW
        return found

    def _metadata(self, current: int, told: Iterable[int], lists: Mapping[int, str] = MappingProxyType({})) -> bytes:
        snapshots = [self.snapshots[number] for number in told if number in self.snapshots]
        mended = [
            one | ({"manifest-list": f"s3://lake/{lists[one['snapshot-id']]}"} if one["snapshot-id"] in lists else {})
            for one in snapshots
        ]
        return orjson.dumps({"current-snapshot-id": current, "snapshots": mended})

    def _list(self, names: Iterable[str]) -> bytes:
        content = io.BytesIO()
        fastavro.writer(content, LIST_SCHEMA, [{"manifest_path": f"s3://lake/{FOLDER}{name}.avro"} for name in names])
        return content.getvalue()

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

    def clean(self) -> int:
        return remove_old_manifests(self, "oltp", ["orders"], KEPT)


def filled(store_clock: timedelta = timedelta(0)) -> Table:
    """Five snapshots. m1 is needed by the first four, m2 was dropped by the third, m3 by the fourth."""
    table = Table(store_clock)
    table.snapshot(1, 60, ["m1"])
    table.snapshot(2, 50, ["m2"], ["m1"])
    table.snapshot(3, 40, ["m3"], ["m1"])
    table.snapshot(4, 15, ["m4"], ["m1"])
    table.snapshot(5, 5, ["m5"], ["m4"])
    return table


@pytest.fixture
def table() -> Table:
    return filled()


def test_what_a_promised_hash_needs_stays_however_old_it_is(table: Table) -> None:
    table.metadata(5, oldest=4)
    for number, minutes in ((3, 40), (4, 15), (5, 5)):
        table.publish(number, minutes)
    assert table.clean() == 5
    assert table.names() == {"snap-4", "snap-5", "m1", "m4", "m5"}
    assert metadata_key("oltp", "orders", 5) in table.objects
    assert table.clean() == 0


def test_after_paimon_wrote_all_anew_what_was_promised_before_stays(table: Table) -> None:
    """Its newest metadata knows of no earlier snapshot then, and the newest snapshot names none of its manifests."""
    table.metadata(5, oldest=5)
    table.publish(4, 15)
    table.publish(5, 5)
    table.clean()
    assert table.names() == {"snap-4", "snap-5", "m1", "m4", "m5"}


def test_what_only_a_promised_hash_in_between_needs_stays_by_its_age(table: Table) -> None:
    table.snapshot(6, 1, ["m6"])
    table.metadata(6, oldest=6)
    for number, minutes in ((4, 15), (5, 5), (6, 1)):
        table.publish(number, minutes)
    table.clean()
    assert table.names() == {"snap-4", "snap-5", "snap-6", "m1", "m4", "m5", "m6"}


def test_what_paimon_has_not_let_go_stays_though_nobody_is_promised_it(table: Table) -> None:
    table.metadata(5, oldest=2)
    table.publish(5, 5)
    assert table.clean() == 1
    assert table.names() == {"snap-2", "snap-3", "snap-4", "snap-5", "m1", "m2", "m3", "m4", "m5"} - {"snap-1"}


def test_what_an_older_metadata_file_tells_of_stays_for_paimon_reads_all_of_them(table: Table) -> None:
    table.metadata(4, oldest=3, minutes=15)
    table.metadata(5, oldest=5)
    table.publish(5, 5)
    table.clean()
    assert table.names() == {"snap-3", "snap-4", "snap-5", "m1", "m3", "m4", "m5"}


def test_a_metadata_file_that_was_left_long_ago_keeps_nothing(table: Table) -> None:
    table.metadata(1, oldest=1, minutes=60)
    table.snapshots[2000] = table.snapshots[5] | {"snapshot-id": 2000}
    table.metadata(2000, oldest=2000)
    table.publish(5, 5)
    table.clean()
    assert "snap-1" not in table.names()
    assert metadata_key("oltp", "orders", 1) in table.objects, "that is removed elsewhere"


def test_where_no_copy_is_promised_the_newest_keeps_what_it_names_and_the_rest_goes(table: Table) -> None:
    table.metadata(5, oldest=5)
    table.publish(1, 60)
    table.publish(2, 50)
    table.clean()
    assert table.names() == {"snap-2", "m1", "m2", "snap-5", "m4", "m5"}


def test_a_copy_under_a_tag_keeps_nothing_as_its_data_goes_too(table: Table) -> None:
    table.metadata(5, oldest=4)
    table.publish(1, 60)
    table.publish(5, 5)
    table.clean()
    assert "snap-1" not in table.names() and "m2" not in table.names()


@pytest.mark.parametrize("minutes", [-30, 0, 30])
def test_a_mended_list_counts_by_its_snapshots_age_and_for_what_it_names(minutes: float) -> None:
    table = filled(timedelta(minutes=minutes))
    table.snapshot(6, 1, ["m6"])
    table.metadata(6, oldest=6)
    key = table.publish(4, 15)
    table.publish(4, 15, lists={4: table.mended(key, 4, ["m1", "m4"])})
    table.clean()
    assert table.names() == {"m1", "snap-4", "m4", "snap-5", "m5", "snap-6", "m6"}


@pytest.mark.parametrize("minutes", [-30, -3, 0, 3, 30])
def test_the_store_may_have_another_clock_than_the_job(minutes: float) -> None:
    table = filled(timedelta(minutes=minutes))
    table.metadata(5, oldest=4)
    table.publish(4, 15)
    table.publish(5, 5)
    table.clean()
    assert table.names() == {"snap-4", "snap-5", "m1", "m4", "m5"}


def test_nothing_goes_while_the_clock_was_set_back_in_between(table: Table) -> None:
    table.store_clock = timedelta(hours=-1)
    table.snapshot(6, 1, ["m6"], ["m5"])
    before = table.names()
    table.metadata(6, oldest=4)
    table.publish(4, 15)
    assert table.clean() == 0 and table.names() == before


def test_the_copy_of_the_lowest_number_counts_too(table: Table) -> None:
    """Where the publisher's clock was set back, the one of the earliest time is a later one."""
    table.metadata(5, oldest=5)
    table.publish(4, 5)
    table.publish(5, 15)
    table.clean()
    assert table.names() == {"snap-4", "snap-5", "m1", "m4", "m5"}


def test_the_copies_of_a_table_that_was_made_anew_keep_nothing(table: Table) -> None:
    """The lists of the old one are gone with it."""
    table.metadata(5, oldest=4)
    table.publish(4, 6)
    table.publish(5, 5)
    gone = table.snapshots[1] | {"snapshot-id": 1, "manifest-list": f"s3://lake/{FOLDER}snap-of-before.avro"}
    table.snapshots[1] = gone
    table.publish(1, 15)
    table.clean()
    assert table.names() == {"snap-4", "snap-5", "m1", "m4", "m5"}


def test_what_was_just_written_stays_though_no_snapshot_tells_of_it_yet(table: Table) -> None:
    table.metadata(5, oldest=5)
    table.publish(5, 5)
    table.objects[f"{FOLDER}snap-6.avro"] = b"", NOW
    table.objects[f"{FOLDER}m6.avro"] = b"", minutes_ago(6)
    table.objects[f"{FOLDER}orphan.avro"] = b"", minutes_ago(30)
    table.clean()
    assert {"snap-6", "m6"} < table.names() and "orphan" not in table.names()


@pytest.mark.parametrize("broken", [b"", b"{", b"{}", b"Obj\x01"])
@pytest.mark.parametrize("which", ["list", "copy", "metadata"])
def test_a_file_that_cannot_be_read_keeps_all_and_ends_nothing(table: Table, which: str, broken: bytes) -> None:
    table.metadata(5, oldest=4)
    copy = table.publish(4, 15)
    key = {"list": f"{FOLDER}snap-4.avro", "copy": copy, "metadata": metadata_key("oltp", "orders", 5)}[which]
    table.objects[key] = broken, table.objects[key][1]
    before = table.names()
    assert table.clean() == 0 and table.names() == before


def test_nothing_goes_where_nothing_is_published_or_a_list_is_missing(table: Table) -> None:
    before = table.names()
    table.metadata(5, oldest=5)
    assert table.clean() == 0
    table.publish(5, 5)
    del table.objects[f"{FOLDER}snap-5.avro"]
    assert table.clean() == 0
    assert table.names() == before - {"snap-5"}


def test_so_many_go_at_a_time(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_manifests, "MOST", 3)
    table.metadata(5, oldest=4)
    table.publish(5, 5)
    assert [table.clean() for _ in range(3)] == [3, 2, 0]
