"""Removes the Iceberg manifests, and lists of them, that no promised hash and no snapshot of Paimon's leads to.

The job's FileIO deletes none of them (java/lake_file_io), though Paimon asks it to. For where the metadata of the
newest snapshot is missing Paimon writes all of it anew and deletes the manifests of every earlier snapshot at once,
those that published hashes need among them. A TaskManager that is killed between an empty commit and the metadata of
it is enough (docs/decisions/0043).

A snapshot needs its list, and the manifests that the list names. A manifest that a table dropped does not come back.
So a manifest that a later snapshot needs was written after the list of an earlier one, or that list names it too. It
is enough, then, to read the lists of the oldest snapshots that count. Times are those of the store alone: another
machine's clock may differ.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lakeproof.lake.publish.deleting import AT_ONCE, delete_each, delete_keys
from lakeproof.lake.publish.manifests import ManifestReader, MissingFile
from lakeproof.lake.publish.metadata import (
    METADATA_NUMBER,
    current_snapshot,
    metadata_folder,
    metadata_key,
    published_at_ms,
    published_prefix,
    read_metadata,
)
from lakeproof.lake.publish.snapshots import get_object
from lakeproof.stack.object_store import LAKE_BUCKET, bucket_and_key, objects_under

# A list is written after its manifests, and the store tells whole seconds.
MARGIN = timedelta(seconds=120)
# At most this many of a table are removed at once. After a long time without a removal the rest goes later.
MOST = 3 * AT_ONCE
# A metadata file whose number is farther behind the newest was left by a commit that was tried again long after.
NUMBERS = 1000
_COPY = re.compile(r"/(\d+)-\d{13}-[^/]+\.metadata\.json$")
# What reading a file may raise that is truncated, empty or of another form.
UNREADABLE = (ValueError, LookupError, TypeError, EOFError, StopIteration)

log = logging.getLogger(__name__)


def remove_old_manifests(s3: Any, database: str, tables: Iterable[str], kept_seconds: float) -> int:
    """Remove the manifests of a database's tables that are needed no more, at most MOST of a table; gives how many.

    kept_seconds: a copy that was published longer ago is promised no more. A table of which a file is missing or
    cannot be read is passed over and logged: the next time comes.
    Raises: as `delete_each`.
    """
    return delete_each(tables, lambda table: _remove(s3, database, table, kept_seconds))


def _remove(s3: Any, database: str, table: str, kept_seconds: float) -> int:
    try:
        keys = _Table(s3, database, table).old_keys(kept_seconds)
    except (MissingFile, *UNREADABLE) as error:
        log.warning("old manifests of %s.%s stay for now: %s %s", database, table, type(error).__name__, error)
        return 0
    delete_keys(s3, keys[:MOST])
    return min(len(keys), MOST)


@dataclass(frozen=True)
class _Snapshot:
    """at: when it was made, UNIX ms by its maker's clock. manifest_list: the key of its list."""

    at: int
    manifest_list: str


class _Table:
    """A table's Iceberg files as they are now."""

    def __init__(self, s3: Any, database: str, table: str) -> None:
        self._s3, self._database, self._table = s3, database, table
        prefixes = (metadata_folder(database, table), published_prefix(database, table))
        self._folder, self._published = (
            {entry["Key"]: entry["LastModified"] for entry in objects_under(s3, LAKE_BUCKET, prefix)}
            for prefix in prefixes
        )

    def old_keys(self, kept_seconds: float) -> list[str]:
        """The keys that may go. Raises: MissingFile, UNREADABLE."""
        numbers = sorted(int(found[1]) for found in map(METADATA_NUMBER.search, self._folder) if found)
        if not numbers or not self._published:
            return []
        first = next(number for number in numbers if number > numbers[-1] - NUMBERS)
        # Paimon reads the list of its oldest snapshot when that expires, and the lists of every metadata file that is
        # there when it writes all anew. The metadata file of the lowest number names the oldest lists.
        oldest = self._snapshot(metadata_key(self._database, self._table, first), _lowest)
        newest = self._snapshot(metadata_key(self._database, self._table, numbers[-1]), current_snapshot)
        if self._written(newest.manifest_list) < self._written(oldest.manifest_list):
            return []  # the store's clock was set back in between
        promised, by_name_alone = self._promised(kept_seconds)
        lag = self._written(oldest.manifest_list) - datetime.fromtimestamp(oldest.at / 1000, UTC)
        # A mended list is younger than its snapshot, and lies in another folder: the snapshot's own time counts.
        written = (
            self._folder.get(one.manifest_list, datetime.fromtimestamp(one.at / 1000, UTC) + lag)
            for one in (oldest, *promised)
        )
        before = min(written) - MARGIN
        needed = frozenset(self._needed((oldest, *promised, *by_name_alone)))
        return [
            key for key, at in self._folder.items() if key.endswith(".avro") and at < before and key not in needed
        ]

    def _promised(self, kept_seconds: float) -> tuple[list[_Snapshot], list[_Snapshot]]:
        """(the oldest copy that is promised, none), or, where none is promised, (none, the newest copy), of which
        only the files that it names count. The oldest has the lowest snapshot, for a clock may have been set back.

        Copies under a tag may be older, and their data files are removed with those of their age. A copy whose list
        is gone can be read by nobody: it may be of a table that was made anew since.
        """
        copies = [
            (at, int(number[1]), key)
            for key in self._published
            if (number := _COPY.search(key)) and (at := published_at_ms(f"/{key}")) is not None
        ]
        oldest_ms = (datetime.now(UTC) - timedelta(seconds=kept_seconds)).timestamp() * 1000
        promised = sorted((number, key) for at, number, key in copies if at >= oldest_ms)
        if promised:
            return self._first_readable(key for _, key in promised), []
        return [], self._first_readable(key for *_, key in sorted(copies, reverse=True))

    def _first_readable(self, keys: Iterable[str]) -> list[_Snapshot]:
        """The snapshot of the first copy whose list is there; empty where none is."""
        for key in keys:
            found = self._snapshot(key, current_snapshot)
            if found.manifest_list in self._folder or found.manifest_list in self._published:
                return [found]
        return []

    def _snapshot(self, key: str, choose: Callable[[dict[str, Any]], Mapping[str, Any]]) -> _Snapshot:
        content = get_object(self._s3, key)
        if content is None:
            raise MissingFile(key)
        chosen = choose(read_metadata(content))
        return _Snapshot(int(chosen["timestamp-ms"]), bucket_and_key(str(chosen["manifest-list"]))[1])

    def _written(self, key: str) -> datetime:
        """When the store got that object. Raises: MissingFile."""
        if key not in self._folder:
            raise MissingFile(key)
        found: datetime = self._folder[key]
        return found

    def _needed(self, snapshots: Iterable[_Snapshot]) -> Iterator[str]:
        """The keys of the snapshots' lists and of the manifests in them. Raises: MissingFile."""
        reader = ManifestReader(self._s3)
        for key in {one.manifest_list for one in snapshots}:
            yield key
            for uri in reader.manifests(f"s3://{LAKE_BUCKET}/{key}"):
                yield bucket_and_key(uri)[1]


def _lowest(metadata: dict[str, Any]) -> Mapping[str, Any]:
    """The entry of the oldest snapshot that the metadata tells of."""
    found: Mapping[str, Any] = min(metadata["snapshots"], key=lambda one: int(one["snapshot-id"]))
    return found
