"""Manifests with the sizes that Paimon left out.

Paimon 1.3 builds a table's Iceberg metadata anew where that of the snapshot before is not there: because another
writer has committed that snapshot and has not written its metadata yet, for example. It then gives each deletion
vector's file the size -1, and every later snapshot takes that entry along until the vector is rewritten. Trino reads
such a file whole by its size and refuses the table (ICEBERG_BAD_DATA). What is published must be readable, so the
published copy points at manifests of its own then, with the true sizes (decision 0033).
"""

import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lakeproof.lake.publish.manifests import DataFile
from lakeproof.lake.publish.metadata import current_snapshot, stem_of
from lakeproof.lake.publish.snapshots import SnapshotMissing, get_object
from lakeproof.stack.object_store import LAKE_BUCKET, bucket_and_key

OF_DATA = 0
REMEMBERED_SIZES = 10_000


class Mender:
    """Mends the manifests of one table. Not for several threads at once."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._sizes: dict[str, int] = {}
        self._lists: dict[tuple[int, str], str] = {}

    def lists(self, metadata: dict[str, Any], files: Iterable[DataFile], key: str) -> Mapping[int, str]:
        """Snapshot → its mended list, for the snapshots that need one: a published copy leads to that list instead.

        The current snapshot's list is written where one of its `files` has no size. It lies beside the copy, whose
        name is `key`. Raises: SnapshotMissing; botocore's errors.
        """
        if any(file.size < 0 for file in files):
            snapshot = current_snapshot(metadata)
            self._lists[_of(snapshot)] = self._mended(snapshot["manifest-list"], stem_of(key))
        # A table that was made anew counts its snapshots from 1 again, so a snapshot is known by its own list too.
        there = {_of(entry) for entry in metadata["snapshots"]}
        self._lists = {snapshot: place for snapshot, place in self._lists.items() if snapshot in there}
        return {number: place for (number, _), place in self._lists.items()}

    def _mended(self, manifest_list: str, stem: str) -> str:
        """Write a list that leads to mended manifests; gives its address."""
        number = 0

        def mend(entry: dict[str, Any]) -> dict[str, Any]:
            nonlocal number
            if entry["content"] == OF_DATA:
                return entry
            number += 1
            content = _read(self._s3, entry["manifest_path"])
            mended = _rewritten(content, lambda line: line | {"data_file": self._with_size(line["data_file"])})
            return entry | {
                "manifest_path": _write(self._s3, f"{stem}.{number}.manifest.avro", mended),
                "manifest_length": len(mended),
            }

        return _write(self._s3, f"{stem}.list.avro", _rewritten(_read(self._s3, manifest_list), mend))

    def _with_size(self, file: dict[str, Any]) -> dict[str, Any]:
        """Many vectors lie in one file, and a file never changes: the store is asked once for each file."""
        if file["file_size_in_bytes"] >= 0:
            return file
        path = file["file_path"]
        if path not in self._sizes:
            if len(self._sizes) >= REMEMBERED_SIZES:
                self._sizes.clear()
            bucket, key = bucket_and_key(path)
            self._sizes[path] = self._s3.head_object(Bucket=bucket, Key=key)["ContentLength"]
        return file | {"file_size_in_bytes": self._sizes[path]}


def _of(snapshot: dict[str, Any]) -> tuple[int, str]:
    return snapshot["snapshot-id"], snapshot["manifest-list"]


def _rewritten(content: bytes, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """The same Avro file, with the same schema and headers, and with `change` of each record."""
    import fastavro

    reader = fastavro.reader(io.BytesIO(content))
    headers = {name: value for name, value in reader.metadata.items() if not name.startswith("avro.")}
    schema = json.loads(reader.metadata["avro.schema"])
    out = io.BytesIO()
    fastavro.writer(
        out, schema, [change(record) for record in _records(content)], codec=reader.codec, metadata=headers
    )
    return out.getvalue()


def _records(content: bytes) -> list[dict[str, Any]]:
    import fastavro

    return list(fastavro.reader(io.BytesIO(content)))  # type: ignore[arg-type]


def _read(s3: Any, uri: str) -> bytes:
    content = get_object(s3, bucket_and_key(uri)[1])
    if content is None:
        raise SnapshotMissing(f"{uri} has gone")
    return content


def _write(s3: Any, key: str, content: bytes) -> str:
    s3.put_object(Bucket=LAKE_BUCKET, Key=key, Body=content, IfNoneMatch="*")
    return f"s3://{LAKE_BUCKET}/{key}"
