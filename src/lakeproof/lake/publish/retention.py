"""Removes published copies of metadata that nobody is promised any more, and parts that a killed upload left."""

import logging
import time
from collections.abc import Iterable, Iterator
from typing import Any

from lakeproof.lake.job.spec import RETENTION_MARGIN_SECONDS
from lakeproof.lake.nessie import NessieClient, NoSuchReference
from lakeproof.lake.publish.deleting import delete_each, delete_keys
from lakeproof.lake.publish.metadata import published_at_ms, published_prefix, stem_of
from lakeproof.stack.object_store import LAKE_BUCKET, WAREHOUSE, bucket_and_key, objects_under

# An upload that began longer ago is dead: a table's file is sent within minutes, from its first 16 MB to the end of a
# checkpoint or a compaction.
UPLOAD_SECONDS = 6 * 3600.0

log = logging.getLogger(__name__)


def expired_keys(keys: Iterable[str], now_ms: int, kept_seconds: float, referenced: frozenset[str]) -> list[str]:
    """The copies older than `kept_seconds` that no branch or tag points at, with the manifests mended for them."""
    stems = {stem_of(key) for key in referenced}
    oldest_ms = now_ms - int(kept_seconds * 1000)
    return [
        key
        for key in keys
        if (at := published_at_ms(f"/{key}")) is not None and at < oldest_ms and stem_of(key) not in stems
    ]


def remove_expired_copies(
    s3: Any, nessie: NessieClient, database: str, tables: Iterable[str], readable_seconds: float
) -> int:
    """Remove what has expired of a database's tables; gives how many objects.

    Raises: NessieUnreachable; as `delete_each` where a table's could not be removed.
    """
    names = list(tables)
    referenced = frozenset(_referenced_keys(nessie, database, names))
    kept_seconds = readable_seconds + RETENTION_MARGIN_SECONDS
    now_ms = time.time_ns() // 1_000_000

    def remove(table: str) -> int:
        there = (entry["Key"] for entry in objects_under(s3, LAKE_BUCKET, published_prefix(database, table)))
        keys = expired_keys(there, now_ms, kept_seconds, referenced)
        delete_keys(s3, keys)
        return len(keys)

    removed = delete_each(names, remove)
    if removed:
        log.info("removed %d expired copies of metadata", removed)
    return removed


def abort_old_uploads(s3: Any, older_than_seconds: float = UPLOAD_SECONDS) -> int:
    """Abort the lake's multipart uploads that were begun longer ago than that; gives how many.

    A process that is killed during an upload leaves its parts, which no listing shows and nothing else ever removes.
    Trap: MinIO takes a listing's Prefix as the whole name of one object, so the warehouse's uploads are picked here.
    It may not list uploads from before its own restart.
    Raises: as `delete_each`, but not for an upload that has ended meanwhile.
    """
    prefix = f"{bucket_and_key(WAREHOUSE)[1]}/"
    pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket=LAKE_BUCKET)
    old = [
        upload
        for page in pages
        for upload in page.get("Uploads", ())
        if upload["Key"].startswith(prefix) and time.time() - upload["Initiated"].timestamp() > older_than_seconds
    ]
    aborted = delete_each(old, lambda upload: _abort(s3, upload["Key"], upload["UploadId"]))
    if aborted:
        log.info("gave up %d uploads that nobody ended", aborted)
    return aborted


def _abort(s3: Any, key: str, upload_id: str) -> bool:
    """False where the upload had ended before."""
    from botocore.exceptions import ClientError

    try:
        s3.abort_multipart_upload(Bucket=LAKE_BUCKET, Key=key, UploadId=upload_id)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "NoSuchUpload":
            raise
        return False
    return True


def _referenced_keys(nessie: NessieClient, database: str, tables: list[str]) -> Iterator[str]:
    for reference in nessie.references():
        try:
            contents = nessie.contents(reference, database, tables)
        except NoSuchReference:
            if reference.kind != "TAG":
                raise  # what a branch points at must not count as unreferenced
            continue  # dropped meanwhile: a query's tag
        for table in contents.values():
            yield bucket_and_key(table.metadata_location)[1]
