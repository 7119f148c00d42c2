"""Events of transactions whose END has not come, found in the bytes of a job's state."""

import json
import struct
from typing import Any

from lakeproof.lake.job.held_rows import events_in


def written(event: dict[str, Any]) -> bytes:
    raw = json.dumps(event).encode()
    return struct.pack(">i", len(raw)) + raw


def row(number: int, text: str = "") -> dict[str, Any]:
    return {"op": "c", "after": {"id": number, "note": text}, "transaction": {"id": "0-1-7", "total_order": number}}


def test_events_are_found_among_whatever_lies_between_them_and_in_their_order() -> None:
    rows = [row(1, 'a brace { in a "text" }'), row(2, "é{"), row(3)]
    between = [b"\x00\x04open{", b"}{}", struct.pack(">i", 7) + b"{broken", b"\x00{"]
    data = b"".join(part for pair in zip(between, map(written, rows), strict=False) for part in pair)
    assert list(events_in(data + b"{")) == rows


def test_markers_rows_of_no_transaction_and_what_is_cut_off_are_none() -> None:
    snapshot_row = {"op": "r", "after": {"id": 1}, "transaction": None}
    marker = {"status": "END", "id": "0-1-7", "event_count": 1}
    assert list(events_in(written(snapshot_row) + written(marker) + written(row(1))[:-1])) == []
    assert list(events_in(b"")) == []
