"""Which published copies and which parts may go."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lakeproof.lake.publish.metadata import published_key
from lakeproof.lake.publish.retention import abort_old_uploads, expired_keys


def key(at_seconds: int) -> str:
    return published_key("oltp", "orders", at_seconds * 1000, 7, "ab")


def test_only_copies_past_their_time_go() -> None:
    assert expired_keys([key(100), key(900)], 1_200_000, 600, frozenset()) == [key(100)]


def test_what_a_branch_or_a_tag_points_at_stays() -> None:
    assert expired_keys([key(100)], 1_200_000, 600, frozenset({key(100)})) == []


def test_other_objects_are_never_touched() -> None:
    assert expired_keys(["wh/iceberg/oltp/orders/metadata/v1.metadata.json"], 10**15, 0, frozenset()) == []


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


def test_any_other_refusal_is_told() -> None:
    store = Store({"wh/a": 7})
    store.refused["wh/a"] = "AccessDenied"
    with pytest.raises(ClientError):
        abort_old_uploads(store)
