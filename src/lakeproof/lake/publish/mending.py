"""Manifests with the sizes that Paimon left out.

Paimon 1.3 builds a table's Iceberg metadata anew where that of the snapshot before is not there: because another
writer has committed that snapshot and has not written its metadata yet, for example. It then gives each deletion
vector's file the size -1, and every later snapshot takes that entry along until the vector is rewritten. Trino reads
such a file whole by its size and refuses the table (ICEBERG_BAD_DATA). What is published must be readable, so the
published copy points at manifests of its own then, with the true sizes (decision 0033).
"""

import io
import json
from collections.abc import Callable
from typing import Any

from lakeproof.lake.publish.manifests import DataFile
from lakeproof.lake.publish.snapshots import SnapshotMissing, get_object
from lakeproof.stack.object_store import LAKE_BUCKET, bucket_and_key


def wants_mending(files: tuple[DataFile, ...]) -> bool:
    """Whether a reader needs a size that a manifest does not tell."""
    return any(file.size < 0 for file in files)


def mended_list(s3: Any, manifest_list: str, stem: str) -> str:
    """Write the manifests that lack sizes, and a list that leads to these, as objects whose names begin with `stem`.

    Gives the address of the new list. Raises: SnapshotMissing; botocore's errors.
    """
    number = 0

    def mend(entry: dict[str, Any]) -> dict[str, Any]:
        nonlocal number
        content = _read(s3, entry["manifest_path"])
        lines = [line["data_file"] for line in _records(content)]
        if all(line["file_size_in_bytes"] >= 0 for line in lines):
            return entry
        number += 1
        mended = _rewritten(content, lambda line: line | {"data_file": _with_size(s3, line["data_file"])})
        return entry | {
            "manifest_path": _write(s3, f"{stem}.{number}.manifest.avro", mended),
            "manifest_length": len(mended),
        }

    return _write(s3, f"{stem}.list.avro", _rewritten(_read(s3, manifest_list), mend))


def _with_size(s3: Any, file: dict[str, Any]) -> dict[str, Any]:
    if file["file_size_in_bytes"] >= 0:
        return file
    bucket, key = bucket_and_key(file["file_path"])
    return file | {"file_size_in_bytes": s3.head_object(Bucket=bucket, Key=key)["ContentLength"]}


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
