"""Many objects are deleted at once, and what the store keeps is told."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from lakeproof.lake.publish.deleting import NotDeleted, delete_each, delete_keys


class Store:
    """A bucket; `answers`: the errors that it tells of a key, by code."""

    def __init__(self, keys: set[str], answers: dict[str, str] | None = None) -> None:
        self.keys, self.answers = keys, answers or {}
        self.calls: list[int] = []

    def delete_objects(self, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        asked = {entry["Key"] for entry in Delete["Objects"]}
        self.calls.append(len(asked))
        self.keys -= asked - self.answers.keys()
        return {"Errors": [{"Key": key, "Code": code} for key, code in self.answers.items() if key in asked]}


def test_more_than_one_call_takes_are_all_deleted() -> None:
    store = Store({f"k{number}" for number in range(2001)} | {"another"})
    delete_keys(store, [f"k{number}" for number in range(2001)])
    assert (store.keys, store.calls) == ({"another"}, [1000, 1000, 1])


def test_nothing_is_asked_for_no_key() -> None:
    store = Store({"k"})
    delete_keys(store, ())
    assert (store.keys, store.calls) == ({"k"}, [])


def test_one_that_is_gone_counts_as_deleted_and_one_that_the_store_keeps_is_named() -> None:
    store = Store({"a", "b"}, {"gone": "NoSuchKey"})
    delete_keys(store, ["a", "gone"])
    assert store.keys == {"b"}
    store.answers = {"b": "AccessDenied"}
    with pytest.raises(NotDeleted, match="AccessDenied") as kept:
        delete_keys(store, ["b"])
    assert kept.value.where == "b"


def test_a_store_that_does_not_answer_is_asked_for_no_other_item() -> None:
    asked: list[str] = []

    def delete(item: str) -> int:
        asked.append(item)
        if item == "b":
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "DeleteObjects")
        if item == "d":
            raise EndpointConnectionError(endpoint_url="http://store")
        return 1

    with pytest.raises(ClientError):
        delete_each(["a", "b", "c"], delete)
    with pytest.raises(EndpointConnectionError):
        delete_each(["d", "e"], delete)
    assert asked == ["a", "b", "c", "d"]


def test_one_that_the_store_keeps_holds_up_no_other() -> None:
    keys = [f"k{number}" for number in range(2500)]
    store = Store(set(keys), {"k0": "AccessDenied", "k2400": "AccessDenied"})
    with pytest.raises(NotDeleted, match="2 objects stay"):
        delete_keys(store, keys)
    assert store.keys == {"k0", "k2400"}
