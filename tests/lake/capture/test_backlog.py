"""What the records of the capture's topic say of transactions and orders, and that a part of them says nothing."""

import json
from types import SimpleNamespace

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture import backlog
from lakeproof.lake.capture.backlog import largest_delivered, orders_delivered, rows_so_far
from lakeproof.stack.stack import Stack


def test_a_row_tells_its_number_within_its_transaction_and_a_marker_none() -> None:
    row = {"op": "u", "transaction": {"id": "0-5401-9", "total_order": 41_000, "data_collection_order": 41_000}}
    end = {"status": "END", "id": "0-5401-9", "event_count": 100_000}
    snapshot = {"op": "r", "transaction": None}
    found = [rows_so_far(json.dumps(each).encode()) for each in (row, end, snapshot)]
    assert [*found, rows_so_far(None)] == [41_000, 0, 0, 0]


class Stalled:
    """A consumer of a topic with two records, of which the first one comes."""

    def __init__(self) -> None:
        value = {"after": {"client_key": "run-1"}, "transaction": {"id": "0-1-7", "total_order": 1}}
        self.messages = [SimpleNamespace(error=lambda: None, value=json.dumps(value).encode, offset=lambda: 0)]

    def get_watermark_offsets(self, *_: object, timeout: float) -> tuple[int, int]:
        return 0, 2

    def offsets_for_times(self, *_: object, timeout: float) -> list[SimpleNamespace]:
        return [SimpleNamespace(error=None, offset=0)]

    def assign(self, *_: object) -> None: ...

    def poll(self, _: float) -> SimpleNamespace | None:
        return self.messages.pop() if self.messages else None

    def close(self) -> None: ...


def test_a_part_of_what_came_is_not_counted_as_the_whole(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "_consumer", lambda *_: Stalled())
    with pytest.raises(CouldNotLook, match="not all records came"):
        largest_delivered(stack, "orders", 60)
    with pytest.raises(CouldNotLook, match="not all records came"):
        orders_delivered(stack, "orders", 0, "run")
