"""Follows the Paimon snapshots of one table in the object store. Reads only."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lakeproof.errors import TransientError
from lakeproof.stack.object_store import LAKE_BUCKET

# A batch statement commits with this identifier; it belongs to no checkpoint.
BATCH_IDENTIFIER = 2**63 - 1
REMEMBERED = 400
FIRST_LOOK = 60
# A look is one call, as a rule. The hint (snapshot/LATEST) is read after this many looks that found nothing.
LOOKS_BEFORE_HINT = 10
HINT_LAG = 5


class SnapshotMissing(TransientError):
    """A snapshot file vanished while it was read (expired), or is not there yet."""


class Kind(StrEnum):
    """What made a snapshot."""

    APPEND = "APPEND"
    COMPACT = "COMPACT"
    OVERWRITE = "OVERWRITE"
    ANALYZE = "ANALYZE"


@dataclass(frozen=True)
class Snapshot:
    """One Paimon snapshot. `checkpoint` is the identifier of the commit: the Flink checkpoint's id.

    at_ms: when it was committed, UNIX ms by the writer's clock.
    """

    id: int
    checkpoint: int
    kind: Kind
    schema_id: int
    delta_records: int
    total_records: int
    writer: str
    at_ms: int = 0

    @property
    def at(self) -> float:
        """As `at_ms`, in seconds."""
        return self.at_ms / 1000


def parse_snapshot(text: bytes | str) -> Snapshot:
    """A snapshot file's content."""
    found = json.loads(text)
    return Snapshot(
        id=found["id"],
        checkpoint=found["commitIdentifier"],
        kind=Kind(found["commitKind"]),
        schema_id=found["schemaId"],
        delta_records=found.get("deltaRecordCount") or 0,
        total_records=found.get("totalRecordCount") or 0,
        writer=found["commitUser"],
        at_ms=found.get("timeMillis") or 0,
    )


class FollowedTable:
    """The newest snapshots of one table, oldest first. `refresh` reads what is new since the last look."""

    def __init__(self, s3: Any, database: str, table: str) -> None:
        self._s3 = s3
        self._prefix = f"wh/{database}.db/{table}"
        self.table = table
        self.snapshots: list[Snapshot] = []
        self._has_key: dict[int, bool] = {}
        self._looks_in_vain = 0

    def refresh(self) -> None:
        """Read the snapshot files that are new. Leaves none when the table does not exist (any more).

        Raises: SnapshotMissing; botocore's errors.
        """
        if self.snapshots and self._looks_in_vain < LOOKS_BEFORE_HINT:
            found = self._read_on()
            self._looks_in_vain = 0 if found else self._looks_in_vain + 1
            return
        self._looks_in_vain = 0
        hint = self._get(f"{self._prefix}/snapshot/LATEST")
        if hint is None:
            self.snapshots = []
            return
        latest = int(hint)
        if self.snapshots and self.snapshots[-1].id - HINT_LAG <= latest <= self.snapshots[-1].id:
            return
        # First look, a table made anew or rolled back, or one whose next snapshot has expired meanwhile.
        self.snapshots = []
        for number in range(max(1, latest - FIRST_LOOK), latest + 1):
            text = self._get(f"{self._prefix}/snapshot/snapshot-{number}")
            if text is None:
                if number == latest:
                    raise SnapshotMissing(f"snapshot {number} is not there", where=self.table)
                self.snapshots = []
                continue
            self.snapshots.append(parse_snapshot(text))
        self._read_on()

    def _read_on(self) -> bool:
        """Read the snapshots that follow the last known one; the hint is written after them and may lag."""
        before = len(self.snapshots)
        while (text := self._get(f"{self._prefix}/snapshot/snapshot-{self.snapshots[-1].id + 1}")) is not None:
            self.snapshots.append(parse_snapshot(text))
        found = len(self.snapshots) > before
        del self.snapshots[:-REMEMBERED]
        return found

    def has_primary_key(self, schema_id: int) -> bool:
        """Whether that schema has a primary key: then rows are only readable once they are compacted.

        Raises: SnapshotMissing where there is no such schema; botocore's errors.
        """
        if schema_id not in self._has_key:
            text = self._get(f"{self._prefix}/schema/schema-{schema_id}")
            if text is None:
                raise SnapshotMissing(f"schema {schema_id} is not there", where=self.table)
            self._has_key[schema_id] = bool(json.loads(text)["primaryKeys"])
        return self._has_key[schema_id]

    def _get(self, key: str) -> bytes | None:
        return get_object(self._s3, key)


def get_object(s3: Any, key: str) -> bytes | None:
    """An object of the lake's bucket; None where it is not there. Raises: botocore's errors."""
    from botocore.exceptions import ClientError

    try:
        body: bytes = s3.get_object(Bucket=LAKE_BUCKET, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    return body
