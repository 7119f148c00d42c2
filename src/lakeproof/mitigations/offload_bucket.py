"""Move a bucket that is none of the stack's out of a full object store, into an archive on another disk.

Each object is read back from the archive and compared before it is deleted in the store, so that its owner loses
nothing. The stack's own buckets are never touched: what they hold is the lake.
"""

import hashlib
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from pydantic import Field

from lakeproof.errors import InvalidInput, LakeproofError, TerminalError, TransientError
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named_one
from lakeproof.probes.object_store import other_buckets
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.minio import moved_out_folder, objects_folder
from lakeproof.stack.object_store import BUCKETS, s3_client
from lakeproof.stack.stack import Stack

STORE = "minio"
SECONDS = 30.0
CHUNK = 1 << 20
# What stays free on the disk that the archive is written to: this share, or so many bytes where that is less.
SPARE, SPARE_BYTES = 0.1, 2 << 30


class OffloadBucket(Named):
    """`bucket`: which; "": of those that are not the stack's the one that holds most. `only`: as in named.py."""

    bucket: str = Field("", pattern=r"^[a-z0-9.-]{0,63}$")


def typed(stack: Stack, arguments: OffloadBucket) -> str:
    """The same by hand. Raises: InvalidInput for a bucket of the stack's own."""
    bucket = arguments.bucket or arguments.only or "BUCKET"
    _refuse_own(bucket)
    url = f"aws --endpoint-url {stack.url(STORE)} s3"
    return f"{url} sync s3://{bucket} FOLDER, compare, then: {url} rm --recursive s3://{bucket}"


def run(stack: Stack, arguments: OffloadBucket) -> str:
    """Its objects of now; one that is written meanwhile stays, and so does the bucket.

    Raises: InvalidInput for a bucket of the stack's own, before anything is read; TerminalError where nothing would
    be won by it (no other bucket holds anything, the archive would lie on the store's own disk, or has no room
    there), or an object came back otherwise; TransientError where the store does not answer. What was archived until
    then, and compared, is deleted in the store.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    our_processes(stack, f"write an archive of a bucket beside {STORE}")
    _refuse_own(arguments.bucket)
    bucket = arguments.bucket or named_one(arguments, list(other_buckets(stack, SECONDS)))
    if not bucket:
        raise TerminalError(
            "no bucket but the stack's own holds anything",
            where=STORE,
            next_action="give its disk more room, or free space there beside the objects",
        )
    s3 = s3_client(stack, timeout_seconds=SECONDS)
    try:
        found = list(_objects(s3, bucket))
        if not found:
            return f"{bucket} holds nothing"
        folder = _folder_with_room(stack, sum(int(each["Size"]) for each in found))
        archive = folder / f"{bucket}-{datetime.now(UTC):%Y%m%dT%H%M%S}.tar"
        digests = _archive(s3, bucket, found, archive)
        _compare(archive, digests)
        kept = _delete_unchanged(s3, bucket, found)
    except (BotoCoreError, ClientError) as error:
        raise TransientError(f"{type(error).__name__}: {error}", where=STORE, next_action="lakeproof ps") from error
    except (OSError, tarfile.TarError) as error:
        raise TerminalError(f"the archive was not written: {error}", where=STORE, next_action="free space") from error
    moved = sum(int(each["Size"]) for each in found) / 1e6
    changed = f"; {kept} that somebody wrote anew meanwhile are still there, too" if kept else ""
    return f"{len(found)} objects of {bucket} ({moved:.0f} MB) lie in {archive}, each byte for byte{changed}"


def _objects(s3: Any, bucket: str) -> Iterator[Mapping[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from page.get("Contents", [])


def _folder_with_room(stack: Stack, needed: int) -> Path:
    folder = moved_out_folder(stack)
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_dev == objects_folder(stack).stat().st_dev:
        raise TerminalError(
            "an archive would lie on the disk of the store itself",
            where=str(folder),
            next_action="move the bucket to another machine by hand, or give that disk more room",
        )
    room = shutil.disk_usage(folder)
    if room.free - needed < min(SPARE * room.total, SPARE_BYTES):
        raise TerminalError(
            f"{needed / 1e6:.0f} MB would fill this disk", where=str(folder), next_action="free space on it first"
        )
    return folder


def _archive(s3: Any, bucket: str, found: list[Mapping[str, Any]], archive: Path) -> dict[str, str]:
    """Write it, and give each key's sha256 as the store sent it."""
    digests: dict[str, str] = {}
    with tarfile.open(archive, "x", format=tarfile.PAX_FORMAT) as tar:
        for each in found:
            member = tarfile.TarInfo(each["Key"])
            answer = s3.get_object(Bucket=bucket, Key=each["Key"], IfMatch=each["ETag"])
            member.size, member.mtime = int(answer["ContentLength"]), int(answer["LastModified"].timestamp())
            reading = _Digested(answer["Body"])
            tar.addfile(member, reading)  # type: ignore[arg-type]  # it calls read alone
            digests[each["Key"]] = reading.digest.hexdigest()
    return digests


class _Digested:
    """A stream whose bytes are digested while somebody reads it."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        part: bytes = self._stream.read(size)
        self.digest.update(part)
        return part


def _compare(archive: Path, digests: Mapping[str, str]) -> None:
    with tarfile.open(archive) as tar:
        read = {member.name: _digest(tar.extractfile(member)) for member in tar}
    if read != digests:
        odd = sorted(read.items() ^ digests.items())[0][0]
        raise TerminalError(
            f"the archive has {odd!r} otherwise than the store", where=str(archive), next_action="look at that disk"
        )


def _digest(stream: IO[bytes] | None) -> str:
    digest = hashlib.sha256()
    while stream is not None and (part := stream.read(CHUNK)):
        digest.update(part)
    return digest.hexdigest()


def _delete_unchanged(s3: Any, bucket: str, found: list[Mapping[str, Any]]) -> int:
    """Delete what is as it was archived; gives how many are not."""
    kept = 0
    for each in found:
        if s3.head_object(Bucket=bucket, Key=each["Key"])["ETag"] == each["ETag"]:
            s3.delete_object(Bucket=bucket, Key=each["Key"])
        else:
            kept += 1
    return kept


def _refuse_own(bucket: str) -> None:
    if bucket in BUCKETS:
        raise InvalidInput(
            f"{bucket} is a bucket of this stack", where=STORE, next_action="an emptied one is lost data, no repair"
        )


def hold(stack: Stack, arguments: OffloadBucket) -> Mapping[str, str]:
    """The bucket that holds most now."""

    def largest() -> list[str]:
        try:
            return list(other_buckets(stack, SECONDS))[:1]
        except LakeproofError as error:
            raise TerminalError(str(error), where=STORE) from error

    return {} if arguments.bucket else hold_to_found(arguments, largest)


MITIGATION = Mitigation(
    "offload_bucket",
    "move a bucket that is none of the stack's out of the object store",
    typed,
    run,
    OffloadBucket,
    hold=hold,
)
