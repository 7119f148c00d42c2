"""Removes the Iceberg manifests, and lists of them, that no promised hash and no snapshot of Paimon's leads to.

The job's FileIO deletes none of them (java/lake_file_io), though Paimon asks it to. For where the metadata of the
newest snapshot is missing Paimon writes all of it anew and deletes the manifests of every earlier snapshot at once,
those that published hashes need among them. A TaskManager that is killed between an empty commit and the metadata of
it is enough (docs/decisions/0043).

What is needed: a snapshot's list, and the manifests that it names. A manifest that a table dropped does not come
back. So those that a later snapshot needs are younger than an earlier one, or the earlier one needs them too; and it
is enough to read the lists of the oldest snapshots that count.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from lakeproof.lake.publish.deleting import delete_each, delete_keys
from lakeproof.lake.publish.manifests import ManifestReader, MissingFile
from lakeproof.lake.publish.metadata import (
    current_snapshot,
    metadata_folder,
    metadata_key,
    published_at_ms,
    published_prefix,
    read_metadata,
)
from lakeproof.lake.publish.snapshots import get_object
from lakeproof.stack.object_store import LAKE_BUCKET, bucket_and_key, objects_under

# A snapshot's files are written moments after its time, and the store has a clock of its own.
MARGIN = timedelta(seconds=120)


def remove_old_manifests(s3: Any, database: str, newest: Mapping[str, int], kept_seconds: float) -> int:
    """Remove those of a database's tables that are needed no more; gives how many objects.

    newest: table → id of its newest snapshot. kept_seconds: a copy that was published longer ago is promised no more.
    A table whose metadata is not there is passed over: the next time comes.
    Raises: as `delete_each`.
    """
    return delete_each(newest.items(), lambda table: _remove(s3, database, *table, kept_seconds))


def _remove(s3: Any, database: str, table: str, newest: int, kept_seconds: float) -> int:
    promised = _oldest_promised(s3, database, table, kept_seconds)
    paimons = _metadata(s3, metadata_key(database, table, newest))
    if promised is None or paimons is None:
        return 0
    # Paimon reads the list of its oldest snapshot when it lets that one go.
    oldest = (current_snapshot(promised), min(paimons["snapshots"], key=lambda one: int(one["timestamp-ms"])))
    try:
        needed = frozenset(_needed(ManifestReader(s3), oldest))
    except MissingFile:
        return 0
    before = min(datetime.fromtimestamp(one["timestamp-ms"] / 1000, UTC) for one in oldest) - MARGIN
    there = objects_under(s3, LAKE_BUCKET, metadata_folder(database, table))
    keys = [
        entry["Key"]
        for entry in there
        if entry["Key"].endswith(".avro") and entry["LastModified"] < before and entry["Key"] not in needed
    ]
    delete_keys(s3, keys)
    return len(keys)


def _oldest_promised(s3: Any, database: str, table: str, kept_seconds: float) -> dict[str, Any] | None:
    """The oldest copy that is promised, or else the newest one, which `main` shows. None: no copy is there.

    The copies under a tag may be older, and their data files are removed with those of their age.
    """
    copies = sorted(
        (at, entry["Key"])
        for entry in objects_under(s3, LAKE_BUCKET, published_prefix(database, table))
        if entry["Key"].endswith(".metadata.json") and (at := published_at_ms(f"/{entry['Key']}")) is not None
    )
    oldest_ms = (datetime.now(UTC) - timedelta(seconds=kept_seconds)).timestamp() * 1000
    promised = [key for at, key in copies if at >= oldest_ms] or [key for _, key in copies[-1:]]
    return _metadata(s3, promised[0]) if promised else None


def _metadata(s3: Any, key: str) -> dict[str, Any] | None:
    content = get_object(s3, key)
    return None if content is None else read_metadata(content)


def _needed(reader: ManifestReader, snapshots: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The keys of the snapshots' lists and of the manifests in them. Raises: MissingFile."""
    for snapshot in snapshots:
        uri = str(snapshot["manifest-list"])
        for each in (uri, *reader.manifests(uri)):
            yield bucket_and_key(each)[1]
