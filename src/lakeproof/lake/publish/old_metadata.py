"""Removes the Iceberg metadata files that Paimon wrote for snapshots long past.

Paimon would do so itself, and for it lists a table's whole metadata folder after every commit: hundreds of names
within minutes, seven times per checkpoint. That was over a third of what the job's S3 client was busy with, and grew
with the lake. Here a folder is listed once; after that the files' names are known, for their numbers count up.
"""

from collections.abc import Mapping
from typing import Any

from lakeproof.lake.publish.deleting import AT_ONCE, NotDeleted, delete_each, delete_keys
from lakeproof.lake.publish.metadata import METADATA_NUMBER, metadata_key
from lakeproof.stack.object_store import LAKE_BUCKET, objects_under


class OldMetadata:
    """Remembers, by table, up to which snapshot the files are gone. Not for several threads; several may run."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._gone: dict[tuple[str, str], int] = {}

    def remove(self, database: str, newest: Mapping[str, int], kept: int) -> int:
        """Remove the files of all but the `kept` newest snapshots; gives how many names were deleted.

        At most AT_ONCE of a table in one call, far more than a job writes between two calls: what a long absence left
        takes several calls. newest: table → id of its newest snapshot.
        Raises: as `delete_each`.
        """
        return delete_each(newest.items(), lambda table: self._remove(database, *table, kept))

    def forget(self, database: str) -> None:
        """Have the database's tables listed again the next time: they may have been made anew meanwhile."""
        self._gone = {key: last for key, last in self._gone.items() if key[0] != database}

    def _remove(self, database: str, table: str, newest: int, kept: int) -> int:
        last = max(0, newest - kept)
        gone = self._gone.get((database, table))
        if gone is None or gone > last:
            # The first time, or a table that was made anew or rolled back: its numbers began again. `newest` may
            # still be the old table's, so the numbers of the files that are there count too.
            found = self._listed(database, table)
            last = max(0, min(last, max(found, default=0) - kept))
            ids = [number for number in found if number <= last]
        else:
            ids = list(range(gone + 1, last + 1))
        some = ids[:AT_ONCE]
        if some:
            try:
                delete_keys(self._s3, (metadata_key(database, table, number) for number in some))
            except NotDeleted:
                # The table is listed again the next time. If each call counted on from here instead, the files that
                # stay would in the end fill every call.
                self._gone.pop((database, table), None)
                raise
        self._gone[database, table] = last if len(some) == len(ids) else some[-1]
        return len(some)

    def _listed(self, database: str, table: str) -> list[int]:
        prefix = metadata_key(database, table, 0).removesuffix("0.metadata.json")
        names = (METADATA_NUMBER.search(entry["Key"]) for entry in objects_under(self._s3, LAKE_BUCKET, prefix))
        return sorted(int(found[1]) for found in names if found)
