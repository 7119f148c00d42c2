"""The published copy of Iceberg metadata."""

from typing import Any

import orjson

from lakeproof.lake.publish.metadata import published_at_ms, published_copy, published_key


def metadata(snapshots: int) -> dict[str, Any]:
    return {
        "current-snapshot-id": snapshots,
        "snapshots": [{"snapshot-id": number} for number in range(1, snapshots + 1)],
        "snapshot-log": [{}],
        "metadata-log": [{}],
    }


def test_the_copy_holds_next_row_id_and_only_the_newest_snapshots() -> None:
    copy = orjson.loads(published_copy(metadata(100), kept=40))
    assert copy["next-row-id"] == 0
    assert [entry["snapshot-id"] for entry in copy["snapshots"]] == list(range(61, 101))
    assert copy["snapshot-log"] == copy["metadata-log"] == []


def test_the_copys_size_does_not_grow_with_the_number_of_snapshots() -> None:
    assert len(published_copy(metadata(5000))) < len(published_copy(metadata(1000))) + 200


def test_the_original_is_left_as_it_was() -> None:
    original = metadata(50)
    published_copy(original, kept=10)
    assert len(original["snapshots"]) == 50
    assert "next-row-id" not in original


def test_a_copys_name_begins_with_a_number_that_trino_can_parse_and_holds_its_time() -> None:
    key = published_key("oltp", "orders", 1_795_540_045_238, 712, "ab12")
    assert int(key.rpartition("/")[2].partition("-")[0]) < 2**31
    assert published_at_ms(key) == 1_795_540_045_238
    assert published_at_ms("wh/iceberg/oltp/orders/metadata/v712.metadata.json") is None
