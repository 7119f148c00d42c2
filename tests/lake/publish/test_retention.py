"""Which published copies may go."""

from lakeproof.lake.publish.metadata import published_key
from lakeproof.lake.publish.retention import expired_keys


def key(at_seconds: int) -> str:
    return published_key("oltp", "orders", at_seconds * 1000, 7, "ab")


def test_only_copies_past_their_time_go() -> None:
    assert expired_keys([key(100), key(900)], 1_200_000, 600, frozenset()) == [key(100)]


def test_what_a_branch_or_a_tag_points_at_stays() -> None:
    assert expired_keys([key(100)], 1_200_000, 600, frozenset({key(100)})) == []


def test_other_objects_are_never_touched() -> None:
    assert expired_keys(["wh/iceberg/oltp/orders/metadata/v1.metadata.json"], 10**15, 0, frozenset()) == []
