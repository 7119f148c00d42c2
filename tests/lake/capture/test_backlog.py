"""What a record of the capture's topic says of its transaction."""

import json

from lakeproof.lake.capture.backlog import rows_so_far


def test_a_row_tells_its_number_within_its_transaction_and_a_marker_none() -> None:
    row = {"op": "u", "transaction": {"id": "0-5401-9", "total_order": 41_000, "data_collection_order": 41_000}}
    end = {"status": "END", "id": "0-5401-9", "event_count": 100_000}
    snapshot = {"op": "r", "transaction": None}
    found = [rows_so_far(json.dumps(each).encode()) for each in (row, end, snapshot)]
    assert [*found, rows_so_far(None)] == [41_000, 0, 0, 0]
