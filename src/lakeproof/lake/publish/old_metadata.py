"""Removes the Iceberg metadata files that Paimon wrote for snapshots long past.

Paimon would do so itself, and for it lists a table's whole metadata folder after every commit: some thousands of
names, seven times per checkpoint, over a third of what the job's S3 client was busy with, and it grew with the lake.
Here a folder is listed once; after that the names are known, for they count up.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from lakeproof.errors import TransientError
from lakeproof.lake.object_store import LAKE_BUCKET
from lakeproof.lake.publish.metadata import metadata_key

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"/v(\d+)\.metadata\.json$")
# What one DeleteObjects takes.
AT_ONCE = 1000


class NotDeleted(TransientError):
    """The store kept some of the files; the next call tries again."""


class OldMetadata:
    """Remembers, by table, up to which snapshot the files are gone. Not for several threads."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self._gone: dict[tuple[str, str], int] = {}

    def remove(self, database: str, newest: Mapping[str, int], kept: int) -> int:
        """Remove the files of all but the `kept` newest snapshots; gives how many names were given up.

        newest: table → id of its newest snapshot.
        Raises: NotDeleted; botocore's errors.
        """
        return sum(self._remove(database, table, max(0, snapshot - kept)) for table, snapshot in newest.items())

    def _remove(self, database: str, table: str, last: int) -> int:
        gone = self._gone.get((database, table))
        if gone is None or gone > last:
            # The first time, or a table that was made anew or rolled back: its numbers began again.
            ids = [number for number in self._listed(database, table) if number <= last]
        else:
            ids = list(range(gone + 1, last + 1))
        for start in range(0, len(ids), AT_ONCE):
            self._delete(database, table, ids[start : start + AT_ONCE])
        self._gone[database, table] = last
        return len(ids)

    def _listed(self, database: str, table: str) -> list[int]:
        prefix = metadata_key(database, table, 0).removesuffix("0.metadata.json")
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=LAKE_BUCKET, Prefix=prefix)
        names = (_NUMBER.search(entry["Key"]) for page in pages for entry in page.get("Contents", ()))
        return sorted(int(found[1]) for found in names if found)

    def _delete(self, database: str, table: str, ids: list[int]) -> None:
        keys = [{"Key": metadata_key(database, table, number)} for number in ids]
        answer = self._s3.delete_objects(Bucket=LAKE_BUCKET, Delete={"Objects": keys, "Quiet": True})
        if errors := answer.get("Errors"):
            first = errors[0]
            raise NotDeleted(
                f"{len(errors)} old metadata files stay: {first.get('Message') or first.get('Code')}",
                where=first["Key"],
            )
