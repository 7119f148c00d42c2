"""The newest heartbeat in a published state, from the statistics of the heartbeat table's files: no file is opened.

The table holds one row, so the file that was written last has the newest beat as the upper bound of `beat_us`, and
the transaction that wrote the beat as the upper bound of `gtid`. The file with the highest beat would not do: after
the clock was set back that is an old file, and says that the published state covers a time that has not come.
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
    beats = [file for file in files if file.is_data and ids["beat_us"] in file.upper]
    if not beats:
        return None
    upper = max(beats, key=lambda file: file.sequence).upper
    gtid = upper.get(ids["gtid"])
    return Beat(int.from_bytes(upper[ids["beat_us"]], "little", signed=True), gtid.decode() if gtid else None)


def _current_schema(metadata: dict[str, Any]) -> dict[str, Any]:
    current = metadata["current-schema-id"]
    found: dict[str, Any] = next(schema for schema in metadata["schemas"] if schema["schema-id"] == current)
    return found
