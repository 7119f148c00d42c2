"""The audit before each merge."""

from typing import Any

import pytest

from lakeproof.lake.publish.audit import AuditFailed, TableState, check_metadata, unreadable_rows
from lakeproof.lake.publish.cut import Cut
from lakeproof.lake.publish.manifests import DataFile
from lakeproof.lake.publish.snapshots import Kind, Snapshot


def cut(checkpoint: int = 5, *, total: int = 10) -> Cut:
    return Cut(5, {"orders": Snapshot(7, checkpoint, Kind.COMPACT, 0, 1, total, "job")})


def state(*, snapshot: int = 7, schema: int = 0, records: int = 10) -> TableState:
    metadata: dict[str, Any] = {
        "current-snapshot-id": snapshot,
        "snapshots": [{"snapshot-id": snapshot, "schema-id": schema}],
        "schemas": [{"schema-id": 0}],
    }
    vector = DataFile("s3://lake/index", False, 40, 3, {}, 1)
    return TableState(metadata, (DataFile("s3://lake/a", True, 900, records, {}, 1), vector))


def test_a_whole_state_passes() -> None:
    check_metadata(cut(), "orders", state(), same_checkpoint=True)


@pytest.mark.parametrize(
    ("chosen", "found", "why"),
    [
        (cut(), state(snapshot=6), "snapshot 6"),
        (cut(checkpoint=6), state(), "checkpoint 6"),
        (cut(checkpoint=4), state(), "checkpoint 4"),
        (cut(), state(schema=4), "schema 4"),
        (cut(), state(records=11), "11 rows"),
        (cut(total=12), state(), "10 rows, Paimon counts 12"),
    ],
)
def test_a_state_that_is_wrong_is_refused_with_the_reason(chosen: Cut, found: TableState, why: str) -> None:
    with pytest.raises(AuditFailed, match=why):
        check_metadata(chosen, "orders", found, same_checkpoint=True)


def test_rows_that_readers_do_not_see_are_counted() -> None:
    assert unreadable_rows(cut(total=12), {"orders": state(records=10)}) == 2


def test_without_the_cut_a_state_is_published_whether_readers_see_its_rows_or_not() -> None:
    check_metadata(cut(checkpoint=6, total=12), "orders", state(), same_checkpoint=False)
