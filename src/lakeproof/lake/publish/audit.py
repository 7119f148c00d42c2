"""The audit before a merge: milliseconds, every time. What it finds wrong keeps the state off `main`.

A state passes when all tables hold the same checkpoint, their schemas are known, every manifest and every data file
that is new in it exists, and the files that readers see hold as many rows as Paimon counts in all levels. Fewer rows
mean that some lie in level 0, which no Iceberg reader sees: then parts of transactions would be missing.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from lakeproof.errors import LakeproofError
from lakeproof.lake.publish.cut import Cut
from lakeproof.lake.publish.manifests import DataFile
from lakeproof.lake.publish.metadata import current_snapshot
from lakeproof.stack.object_store import bucket_and_key

REMEMBERED_FILES = 20_000


class AuditFailed(LakeproofError):
    """The state must not be published; the message says why."""


@dataclass(frozen=True)
class TableState:
    """What the audit sees of one table: its Iceberg metadata and the live files behind it."""

    metadata: dict[str, Any]
    files: tuple[DataFile, ...]


class QuickAudit:
    """Remembers the files that were seen to exist, so that each is asked for once."""

    def __init__(self, s3: Any, executor: Executor) -> None:
        self._s3 = s3
        self._executor = executor
        self._seen: OrderedDict[str, None] = OrderedDict()

    def check(self, cut: Cut, states: Mapping[str, TableState], *, same_checkpoint: bool) -> None:
        """Raises: AuditFailed; botocore's errors where the store does not answer (that is no verdict)."""
        for table, state in states.items():
            check_metadata(cut, table, state, same_checkpoint=same_checkpoint)
        self.require_files(states.values())

    def require_files(self, states: Iterable[TableState]) -> None:
        """Every file of these tables exists. Raises: AuditFailed; botocore's errors."""
        new = [file.path for state in states for file in state.files if file.path not in self._seen]
        missing = [path for path, there in zip(new, self._executor.map(self._exists, new), strict=True) if not there]
        if missing:
            raise AuditFailed(f"{len(missing)} files are missing, the first is {missing[0]}", where="audit")
        for path in new:
            self._seen[path] = None
        while len(self._seen) > REMEMBERED_FILES:
            self._seen.popitem(last=False)

    def _exists(self, path: str) -> bool:
        from botocore.exceptions import ClientError

        bucket, key = bucket_and_key(path)
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True


def check_metadata(cut: Cut, table: str, state: TableState, *, same_checkpoint: bool) -> None:
    """The part of the audit that needs no call. Raises: AuditFailed.

    same_checkpoint: False where each table's newest snapshot is taken on purpose (lake.cut = false), readable or not.
    """
    snapshot = cut.snapshots[table]
    current = current_snapshot(state.metadata)
    if current["snapshot-id"] != snapshot.id:
        raise AuditFailed(f"metadata shows snapshot {current['snapshot-id']}, not {snapshot.id}", where=table)
    if same_checkpoint and snapshot.checkpoint != cut.checkpoint:
        raise AuditFailed(f"snapshot {snapshot.id} is of checkpoint {snapshot.checkpoint}", where=table)
    if current["schema-id"] not in {schema["schema-id"] for schema in state.metadata["schemas"]}:
        raise AuditFailed(f"schema {current['schema-id']} is not in the metadata", where=table)
    records = _visible_rows(state)
    if records > snapshot.total_records or (same_checkpoint and records < snapshot.total_records):
        raise AuditFailed(
            f"readers see {records} rows, Paimon counts {snapshot.total_records}", where=f"{table}@{snapshot.id}"
        )


def unreadable_rows(cut: Cut, states: Mapping[str, TableState]) -> int:
    """Rows that Paimon counts and Iceberg readers do not see, since they lie in level 0."""
    return sum(cut.snapshots[table].total_records - _visible_rows(state) for table, state in states.items())


def _visible_rows(state: TableState) -> int:
    return sum(file.records for file in state.files if file.is_data)
