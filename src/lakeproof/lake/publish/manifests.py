"""Reads the Iceberg manifests behind a published state: which files it needs, and statistics of their columns."""

import io
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lakeproof.lake.publish.snapshots import get_object
from lakeproof.stack.object_store import bucket_and_key

CACHED_MANIFESTS = 2000
_DELETED = 2
_DATA = 0


@dataclass(frozen=True)
class DataFile:
    """A live file of a table.

    is_data: False for a deletion vector.
    size: in bytes; -1 where the manifest does not tell it.
    records: the rows of a data file; of a deletion vector, how many rows it hides.
    upper: field id → upper bound's bytes.
    sequence: grows with each snapshot that adds files; of two files the one with the higher number was written later.
    removes_from: the data file whose rows a deletion vector hides; "" for a data file.
    """

    path: str
    is_data: bool
    size: int
    records: int
    upper: dict[int, bytes]
    sequence: int
    removes_from: str = ""


class MissingFile(Exception):
    """A manifest list or a manifest that a state needs is not there."""


class ManifestReader:
    """Reads manifests once each: they never change. One per table (not for several threads at once)."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._cache: OrderedDict[str, tuple[DataFile, ...]] = OrderedDict()

    def live_files(self, manifest_list: str) -> list[DataFile]:
        """All live files that the manifest list leads to. Raises: MissingFile; botocore's errors."""
        live: list[DataFile] = []
        for entry in self._read(manifest_list):
            path = entry["manifest_path"]
            if path in self._cache:
                self._cache.move_to_end(path)
            else:
                self._cache[path] = tuple(
                    _data_file(line, entry["sequence_number"])
                    for line in self._read(path)
                    if line["status"] != _DELETED
                )
                while len(self._cache) > CACHED_MANIFESTS:
                    self._cache.popitem(last=False)
            live.extend(self._cache[path])
        return live

    def manifests(self, manifest_list: str) -> list[str]:
        """The addresses of the manifests that the list names. Raises: MissingFile; botocore's errors."""
        return [str(entry["manifest_path"]) for entry in self._read(manifest_list)]

    def _read(self, uri: str) -> Iterable[dict[str, Any]]:
        import fastavro

        content = get_object(self._s3, bucket_and_key(uri)[1])
        if content is None:
            raise MissingFile(uri)
        return list(fastavro.reader(io.BytesIO(content)))  # type: ignore[arg-type]


def _data_file(line: dict[str, Any], manifest_sequence: int) -> DataFile:
    """`manifest_sequence`: what a line without a sequence number of its own inherits (Iceberg's specification)."""
    entry, own = line["data_file"], line.get("sequence_number")
    bounds = entry.get("upper_bounds") or []
    return DataFile(
        path=entry["file_path"],
        is_data=entry["content"] == _DATA,
        size=entry["file_size_in_bytes"],
        records=entry["record_count"],
        upper={bound["key"]: bound["value"] for bound in bounds},
        sequence=manifest_sequence if own is None else own,
        removes_from=entry.get("referenced_data_file") or "",
    )
