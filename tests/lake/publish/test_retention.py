"""Which published copies and which parts may go."""

from datetime import UTC, datetime, timedelta
from typing import Any

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
    """The lake's uploads in parts, of an age in hours each, two a page."""

    def __init__(self, hours: dict[str, float]) -> None:
        now = datetime.now(UTC)
        self.uploads = [
            {"Key": key, "UploadId": f"id of {key}", "Initiated": now - timedelta(hours=age)}
            for key, age in hours.items()
        ]
        self.aborted: list[tuple[str, str]] = []

    def get_paginator(self, name: str) -> "Store":
        assert name == "list_multipart_uploads"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        assert (Bucket, Prefix) == ("lake", "wh/")
        return [{"Uploads": self.uploads[:2]}, {"Uploads": self.uploads[2:]}, {}]

    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> None:
        self.aborted.append((Key, UploadId))


def test_parts_that_a_killed_upload_left_go_after_hours_and_those_of_a_running_one_stay() -> None:
    store = Store({"wh/a": 7, "wh/b": 5.9, "wh/c": 100})
    assert abort_old_uploads(store) == 2
    assert store.aborted == [("wh/a", "id of wh/a"), ("wh/c", "id of wh/c")]
