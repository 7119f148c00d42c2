"""Which published copies and which parts may go."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeproof.lake.nessie import IcebergTable, NoSuchReference, Reference
from lakeproof.lake.publish.deleting import NotDeleted
from lakeproof.lake.publish.metadata import published_key
from lakeproof.lake.publish.retention import abort_old_uploads, expired_keys, remove_expired_copies
from lakeproof.lake.sources.source import SOURCES, Source


def key(at_seconds: int) -> str:
    return published_key("oltp", "orders", at_seconds * 1000, 7, "ab")


def test_only_copies_past_their_time_go() -> None:
    assert expired_keys([key(100), key(900)], 1_200_000, 600, frozenset()) == [key(100)]


def test_what_a_branch_or_a_tag_points_at_stays() -> None:
    assert expired_keys([key(100)], 1_200_000, 600, frozenset({key(100)})) == []


def test_other_objects_are_never_touched() -> None:
    assert expired_keys(["wh/iceberg/oltp/orders/metadata/v1.metadata.json"], 10**15, 0, frozenset()) == []


class Copies:
    """A bucket with published copies; and a Nessie whose only branch points at those in `held`."""

    def __init__(self, keys: set[str], held: set[str]) -> None:
        self.keys, self.held = keys, held

    def get_paginator(self, name: str) -> "Copies":
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in sorted(self.keys) if key.startswith(Prefix)]}, {}]

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        self.keys -= {entry["Key"] for entry in Delete["Objects"]}
        return {}

    def references(self) -> list[Reference]:
        return [Reference("BRANCH", "main", "ab" * 32)]

    def contents(self, reference: Reference, namespace: str, tables: list[str]) -> dict[str, IcebergTable]:
        held = next(key for key in self.held if f"/{namespace}/" in key)
        return {"t": IcebergTable(f"s3://lake/{held}", 7, 0, 0, 0)}


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_copies_of_a_database_go_by_their_own_time_and_no_others(source: Source) -> None:
    now_ms = time.time_ns() // 1_000_000
    old, held, new = (
        {one.name: published_key(one.name, "t", now_ms - age * 1000, 7, unique) for one in SOURCES}
        for age, unique in ((5000, "aa"), (4000, "bb"), (1100, "cc"))
    )
    every = {*old.values(), *held.values(), *new.values()}
    copies = Copies(set(every), set(held.values()))
    assert remove_expired_copies(copies, copies, source.name, ["t"], 900) == 1  # type: ignore[arg-type]
    assert every - copies.keys == {old[source.name]}


def test_a_copy_that_the_store_keeps_holds_up_no_other_table() -> None:
    now_ms = time.time_ns() // 1_000_000
    first, second, held = (
        published_key("oltp", table, now_ms - 5_000_000, 7, "aa") for table in ("items", "orders", "t")
    )

    class Keeping(Copies):
        def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
            super().delete_objects(Bucket, {"Objects": [one for one in Delete["Objects"] if one["Key"] != first]})
            asked = first in {one["Key"] for one in Delete["Objects"]}
            return {"Errors": [{"Key": first, "Code": "AccessDenied"}]} if asked else {}

    copies = Keeping({first, second, held}, {held})
    with pytest.raises(NotDeleted):
        remove_expired_copies(copies, copies, "oltp", ["items", "orders", "t"], 900)  # type: ignore[arg-type]
    assert copies.keys == {first, held}


def test_a_tag_that_is_dropped_meanwhile_does_not_keep_what_has_expired() -> None:
    """Each query by Trino drops its tag at its end."""
    now_ms = time.time_ns() // 1_000_000
    old, held = (published_key("oltp", "orders", now_ms - 5_000_000, 7, unique) for unique in ("aa", "bb"))

    class Dropping(Copies):
        def references(self) -> list[Reference]:
            return [Reference("TAG", "lake_at_0", "ab" * 32), *super().references()]

        def contents(self, reference: Reference, namespace: str, tables: list[str]) -> dict[str, IcebergTable]:
            if reference.kind == "TAG":
                raise NoSuchReference("not found", where="nessie")
            return super().contents(reference, namespace, tables)

    copies = Dropping({old, held}, {held})
    assert remove_expired_copies(copies, copies, "oltp", ["orders"], 900) == 1  # type: ignore[arg-type]
    assert copies.keys == {held}


def test_where_a_branch_cannot_be_read_nothing_is_removed() -> None:
    held = published_key("oltp", "orders", time.time_ns() // 1_000_000 - 5_000_000, 7, "aa")

    class Unreadable(Copies):
        def contents(self, reference: Reference, namespace: str, tables: list[str]) -> dict[str, IcebergTable]:
            raise NoSuchReference("not found", where="nessie")

    copies = Unreadable({held}, {held})
    with pytest.raises(NoSuchReference):
        remove_expired_copies(copies, copies, "oltp", ["orders"], 900)  # type: ignore[arg-type]
    assert copies.keys == {held}


class Store:
    """A bucket's uploads in parts, of an age in hours each, two a page. As MinIO's: a Prefix is a whole name.

    refused: of which uploads an abort is refused, and the error's code.
    """

    def __init__(self, hours: dict[str, float]) -> None:
        now = datetime.now(UTC)
        self.uploads = [
            {"Key": key, "UploadId": f"id of {key}", "Initiated": now - timedelta(hours=age)}
            for key, age in hours.items()
        ]
        self.refused: dict[str, str] = {}
        self.aborted: list[tuple[str, str]] = []

    def get_paginator(self, name: str) -> "Store":
        assert name == "list_multipart_uploads"
        return self

    def paginate(self, Bucket: str, Prefix: str = "") -> list[dict[str, Any]]:
        assert Bucket == "lake"
        uploads = [upload for upload in self.uploads if Prefix in ("", upload["Key"])]
        return [{"Uploads": uploads[:2]}, {"Uploads": uploads[2:]}, {}]

    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> None:
        if Key in self.refused:
            raise ClientError({"Error": {"Code": self.refused[Key]}}, "AbortMultipartUpload")
        self.aborted.append((Key, UploadId))


def test_parts_that_a_killed_upload_left_go_after_hours_and_those_of_a_running_one_stay() -> None:
    store = Store({"wh/a": 7, "wh/b": 5.9, "wh/c": 100, "flink/d": 100, "whole/e": 100})
    assert abort_old_uploads(store) == 2
    assert store.aborted == [("wh/a", "id of wh/a"), ("wh/c", "id of wh/c")]


def test_an_upload_that_ended_meanwhile_does_not_keep_the_others() -> None:
    store = Store({"wh/a": 7, "wh/b": 7})
    store.refused["wh/a"] = "NoSuchUpload"
    assert abort_old_uploads(store) == 1
    assert store.aborted == [("wh/b", "id of wh/b")]


def test_any_other_refusal_is_told_and_keeps_no_other_upload() -> None:
    store = Store({"wh/a": 7, "wh/b": 7})
    store.refused["wh/a"] = "AccessDenied"
    with pytest.raises(ClientError):
        abort_old_uploads(store)
    assert store.aborted == [("wh/b", "id of wh/b")]
