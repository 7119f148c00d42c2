import json
from typing import Any

import pytest

from lakeproof_shop.projector.lag import covered_us, records_behind
from lakeproof_shop.projector.records import BeatRecord, OrderRecord, Unreadable, microseconds, read_record

ROW: dict[str, Any] = {
    "op": "upsert",
    "customer_id": 5,
    "id": 7,
    "status": "paid",
    "total": "12.30",
    "item_count": 2,
    "version": 3,
    "created_at": "2026-11-24T14:43:53.042722Z",
    "updated_at": "2026-11-24T14:43:54Z",
    "ts_us": 1_764_000_000_000_000,
}


def read(**changed: object) -> OrderRecord | BeatRecord:
    return read_record(json.dumps(ROW | changed).encode())


def test_a_row_keeps_its_microseconds_and_its_scale() -> None:
    row = read()
    assert isinstance(row, OrderRecord)
    assert (row.key, str(row.total), microseconds(row.created_at) % 10**6) == ((5, 7), "12.30", 42722)


def test_stamps_follow_the_versions_and_a_deletion_comes_after_its_own() -> None:
    stamps = [
        row.stamp
        for row in (read(version=1), read(op="delete", version=1), read(version=2), read(op="delete", version=2))
        if isinstance(row, OrderRecord)
    ]
    assert stamps == sorted(set(stamps))
    assert len(stamps) == 4


def test_a_beat_says_how_far_the_source_came() -> None:
    assert read_record(b'{"op": "beat", "beat_us": 9}') == BeatRecord(op="beat", beat_us=9)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"[]",
        b'{"op": "truncate"}',
        b'{"op": "beat"}',
        *(
            json.dumps(ROW | wrong).encode()
            for wrong in (
                {"id": None},
                {"id": 2**63},
                {"customer_id": "x"},
                {"version": 0},
                {"version": 2**31},
                {"total": "NaN"},
                {"total": "1.234"},
                {"updated_at": "2026-11-24T14:43:54"},
                {"status": ""},
            )
        ),
    ],
)
def test_poison_is_told_apart(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read_record(value)


def test_the_projection_covers_the_least_of_its_parts_and_nothing_while_one_is_silent() -> None:
    assert covered_us([(0, 30), (1, 10), (2, 20)], 3) == 10
    assert covered_us([(0, 30), (1, 10)], 3) is None


def test_lag_counts_from_what_is_committed_or_from_the_topics_beginning() -> None:
    assert records_behind({0: 10, 1: 5, 2: 0}, {0: 0, 1: 2, 2: 0}, {0: 7}) == 3 + 3
