"""Which of Paimon's Iceberg metadata files go, and how little is asked for it."""

from typing import Any

import pytest

from lakeproof.lake.publish.deleting import NotDeleted
from lakeproof.lake.publish.metadata import metadata_key
from lakeproof.lake.publish.old_metadata import OldMetadata

FOLDER = "wh/iceberg/oltp/orders/metadata/"


class Store:
    """A bucket with a table's metadata folder. refuses: a key that is not deleted, with that code."""

    def __init__(self, newest: int) -> None:
        self.keys = {metadata_key("oltp", "orders", number) for number in range(1, newest + 1)}
        self.keys |= {f"{FOLDER}version-hint.text", f"{FOLDER}snap-3-ab.avro"}
        self.listings = 0
        self.deletions = 0
        self.refuses: str | None = None
        self.code = "AccessDenied"

    def get_paginator(self, name: str) -> "Store":
        assert name == "list_objects_v2"
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        self.listings += 1
        found = [{"Key": key} for key in sorted(self.keys) if key.startswith(Prefix)]
        return [{"Contents": found[:5]}, {"Contents": found[5:]}, {}]

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        self.deletions += 1
        asked = {entry["Key"] for entry in Delete["Objects"]}
        assert len(asked) <= 1000
        kept = asked & {self.refuses}
        self.keys -= asked - kept
        return {"Errors": [{"Key": key, "Code": self.code} for key in kept]} if kept else {}

    def numbers(self) -> list[int]:
        names = [key.removeprefix(FOLDER) for key in self.keys]
        return sorted(int(name[1:].split(".")[0]) for name in names if name.endswith(".metadata.json"))

    def write(self, number: int) -> None:
        self.keys.add(metadata_key("oltp", "orders", number))


def test_the_newest_stay_and_so_does_everything_else() -> None:
    store = Store(30)
    assert OldMetadata(store).remove("oltp", {"orders": 30}, kept=20) == 10
    assert store.numbers() == list(range(11, 31))
    assert {f"{FOLDER}version-hint.text", f"{FOLDER}snap-3-ab.avro"} < store.keys


def test_a_folder_is_listed_once() -> None:
    store = Store(30)
    old = OldMetadata(store)
    old.remove("oltp", {"orders": 30}, kept=20)
    store.write(31)
    store.write(32)
    assert old.remove("oltp", {"orders": 32}, kept=20) == 2
    assert old.remove("oltp", {"orders": 32}, kept=20) == 0
    assert (store.numbers(), store.listings, store.deletions) == (list(range(13, 33)), 1, 2)


def test_a_table_of_few_snapshots_loses_none() -> None:
    store = Store(5)
    old = OldMetadata(store)
    assert [old.remove("oltp", {"orders": 5}, kept=20) for _ in range(3)] == [0, 0, 0]
    assert (store.numbers(), store.listings) == ([1, 2, 3, 4, 5], 1)


def test_a_table_made_anew_counts_from_the_beginning() -> None:
    store = Store(500)
    old = OldMetadata(store)
    old.remove("oltp", {"orders": 500}, kept=20)
    store.keys = Store(25).keys
    old.remove("oltp", {"orders": 25}, kept=20)
    assert store.numbers() == list(range(6, 26))


def test_the_number_of_a_table_that_was_dropped_costs_the_new_one_nothing() -> None:
    store = Store(25)
    OldMetadata(store).remove("oltp", {"orders": 500}, kept=20)
    assert store.numbers() == list(range(6, 26))


def test_a_database_that_was_away_is_listed_again() -> None:
    store = Store(30)
    old = OldMetadata(store)
    old.remove("oltp", {"orders": 30}, kept=20)
    store.keys = Store(60).keys
    old.forget("oltp")
    old.remove("oltp", {"orders": 60}, kept=20)
    assert (store.numbers(), store.listings) == (list(range(41, 61)), 2)


def test_what_a_long_absence_left_goes_in_several_calls() -> None:
    store = Store(2500)
    old = OldMetadata(store)
    assert [old.remove("oltp", {"orders": 2500}, kept=20) for _ in range(4)] == [1000, 1000, 480, 0]
    assert store.numbers() == list(range(2481, 2501))


def test_what_the_store_keeps_is_said_tried_again_and_keeps_no_other_table_waiting() -> None:
    store = Store(100)
    old = OldMetadata(store)
    store.refuses = metadata_key("oltp", "orders", 7)
    with pytest.raises(NotDeleted, match="AccessDenied"):
        old.remove("oltp", {"orders": 100, "order_items": 100}, kept=20)
    assert store.deletions == 1 and store.listings == 2
    store.refuses = None
    assert old.remove("oltp", {"orders": 100}, kept=20) == 1
    assert store.numbers() == list(range(81, 101))


def test_a_file_that_the_store_never_gives_up_does_not_keep_the_later_ones_of_its_table() -> None:
    store = Store(100)
    old = OldMetadata(store)
    old.remove("oltp", {"orders": 100}, kept=20)
    store.refuses = metadata_key("oltp", "orders", 81)
    for newest in range(200, 3000, 100):
        for number in range(newest - 99, newest + 1):
            store.write(number)
        with pytest.raises(NotDeleted):
            old.remove("oltp", {"orders": newest}, kept=20)
    with pytest.raises(NotDeleted):
        old.remove("oltp", {"orders": newest}, kept=20)
    assert store.numbers() == [81, *range(newest - 19, newest + 1)]


def test_a_file_that_another_publisher_removed_first_is_removed() -> None:
    store = Store(30)
    store.refuses, store.code = metadata_key("oltp", "orders", 7), "NoSuchKey"
    assert OldMetadata(store).remove("oltp", {"orders": 30}, kept=20) == 10
