"""The newest heartbeat in a published state, from the statistics of the heartbeat table's files: no file is opened.

The table holds one row; its beat only grows, so the highest upper bound is the newest beat, and the same file's
upper bound of `gtid` is the transaction that wrote it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lakeproof.lake.publish.manifests import DataFile

HEARTBEAT_TABLE = "cdc_heartbeat"


@dataclass(frozen=True)
class Beat:
    """`at_us`: UNIX µs by the source database's clock. `gtid`: None for the row of the initial snapshot."""

    at_us: int
    gtid: str | None


def newest_beat(files: Iterable[DataFile], metadata: dict[str, Any]) -> Beat | None:
    """The newest beat, None where the table is empty."""
    ids = {field["name"]: field["id"] for field in _current_schema(metadata)["fields"]}
    beats = []
    for file in files:
        at = file.upper.get(ids["beat_us"])
        if file.is_data and at is not None:
            gtid = file.upper.get(ids["gtid"])
            beats.append((int.from_bytes(at, "little", signed=True), gtid.decode() if gtid else None))
    if not beats:
        return None
    at_us, gtid_text = max(beats, key=lambda beat: beat[0])
    return Beat(at_us, gtid_text)


def _current_schema(metadata: dict[str, Any]) -> dict[str, Any]:
    current = metadata["current-schema-id"]
    found: dict[str, Any] = next(schema for schema in metadata["schemas"] if schema["schema-id"] == current)
    return found
