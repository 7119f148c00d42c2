"""Repairs of the scenario lake-commit-failure."""

import hashlib
import json
import logging
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal

from pydantic import Field

from lakeproof.errors import InvalidInput, TerminalError, TransientError
from lakeproof.held_file import try_hold
from lakeproof.lake.publish.main_branch import bring_in, roll_back
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named_one
from lakeproof.probes.object_store import other_buckets
from lakeproof.processes.ours import our_processes
from lakeproof.stack.engines.minio import moved_out_folder, objects_folder
from lakeproof.stack.object_store import BUCKETS, s3_client
from lakeproof.stack.stack import Stack
from lakeproof.written import sync_folder


class MergeBranch(Mitigation):
    """Have main show what a branch holds.

    `branch`: ingest, what the publisher has made ready; backup, the last state that a full audit found whole.
    """

    branch: Literal["ingest", "backup"] = "ingest"

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return f"lakeproof lake merge --from {self.branch}"

    def run(self, stack: Stack) -> str:
        """Audit the branch and bring it into main. Raises: as `bring_in`."""
        return f"main shows {self.branch}, at {bring_in(stack, self.branch)[:16]}"


STORE = "minio"

SECONDS, COUNT_SECONDS = 30.0, 600.0

CHUNK = 1 << 20

# What must stay free on the disk of the archive: this share of it, or this many bytes where that is less.
SPARE, SPARE_BYTES = 0.1, 2 << 30

# What an entry of the archive takes beside the object's bytes: two headers, the PAX records, and padding.
ENTRY_BYTES = 2 << 10

# The HTTP statuses that say: somebody has deleted the object, or written it anew.
GONE = (404, 412)

KEY, TOLD = "LAKEPROOF.key", "LAKEPROOF.s3"

# The time in an archive's file name: for strftime, and as a pattern for glob. No bucket's own name has a "T".
STAMP, STAMPED = "%Y%m%dT%H%M%S%f", f"{'[0-9]' * 8}T{'[0-9]' * 12}"

HEADERS = ("ContentType", "ContentEncoding", "ContentDisposition", "CacheControl", "Metadata")

log = logging.getLogger(__name__)


class OffloadBucket(Named, Mitigation):
    """Move a bucket that is none of the stack's out of the object store.

    Move a bucket that is none of the stack's out of a full object store, into an archive on another disk.

    Each object is read back from the archive and compared before it is deleted in the store, so that its owner loses
    none of its bytes. Its type, encoding and own metadata are kept as a PAX header of its entry; tags and older
    versions are not. The stack's own buckets are never touched: what they hold is the lake.

    `bucket`: which; "": the one that holds most, of those that are not the stack's. `folder`: where its archive is
    written; "": the stack's own folder. `only`: as in named.py.
    """

    bucket: str = Field("", pattern=r"^[a-z0-9.-]{0,63}$")
    folder: str = Field("", pattern=r"^(/.*)?$")

    def typed(self, stack: Stack) -> str:
        """The same by hand. Raises: InvalidInput for a bucket of the stack's own."""
        bucket, folder = self.bucket or self.only or "BUCKET", self.folder or "FOLDER"
        _refuse_own(bucket)
        url = f"aws --endpoint-url {stack.url(STORE)} s3"
        return f"{url} sync s3://{bucket} {folder}, compare, then: {url} rm --recursive s3://{bucket}"

    def run(self, stack: Stack) -> str:
        """Archive and compare all objects that are there now, and only then delete them. An object that is written
        anew meanwhile stays, and so does the bucket.

        Raises: InvalidInput for a bucket of the stack's own, before anything is read; TerminalError where moving
        would gain nothing (no other bucket holds anything, the archive would lie on the store's own disk, or has no
        room), an object came back different, or the store refuses to give or delete one; TransientError where the
        store does not answer. An archive that was not compared is deleted, also that of a killed run: do it again. A
        compared archive stays, and every later error names it: what was deleted by then exists there alone.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        our_processes(stack, f"write an archive of a bucket beside {STORE}")
        _refuse_own(self.bucket)
        bucket = self.bucket or named_one(self, _by_size(stack))
        folder = Path(self.folder) if self.folder else moved_out_folder(stack)
        if not bucket:
            raise TerminalError(
                f"no bucket but the stack's own holds anything{_there(folder, '*')}",
                where=STORE,
                next_action="give its disk more room, or free space there beside the objects",
            )
        s3, kept = s3_client(stack, timeout_seconds=SECONDS), ""
        try:
            _remove_dead_partials(folder, bucket)
            kept = earlier = _there(folder, bucket)
            found = list(_objects(s3, bucket))
            if not found:
                return f"{bucket} holds nothing{earlier}"
            _require_room(stack, folder, sum(int(each["Size"]) + ENTRY_BYTES for each in found), earlier)
            archive = folder / f"{bucket}-{datetime.now(UTC).strftime(STAMP)}.tar"
            archived = _archive(s3, bucket, found, archive)
            said = f"{len(archived.digests)} objects of {bucket} ({archived.bytes / 1e6:.0f} MB) lie in {archive}"
            kept = f"; {said}, and what was deleted by now lies there alone{earlier}"
            sync_folder(folder)  # before anything is deleted: a power cut must not take the archive's name away
            log.info("%s, and are deleted in the store now", said)
            newer = _delete_unchanged(s3, bucket, archived)
        except ClientError as error:
            raise TerminalError(
                f"{bucket}: {error}{kept}", where=STORE, next_action="ask the bucket's owner"
            ) from error
        except BotoCoreError as error:
            what = f"{type(error).__name__}: {error}{kept}"
            raise TransientError(what, where=STORE, next_action="lakeproof ps") from error
        except (OSError, tarfile.TarError) as error:
            what = f"writing the archive failed: {error}{kept}"
            raise TerminalError(what, where=STORE, next_action="free space") from error
        left = archived.passed + newer
        changed = (
            f"; {left} were left alone: somebody wrote or deleted them meanwhile, or they have no ETag"
            if left
            else ""
        )
        owner = "tell its owner" if self.folder else "tell its owner: `lakeproof reset` deletes it with the stack"
        return f"{said}, each byte for byte{changed}{earlier}; {owner}"

    def hold(self, stack: Stack) -> Mapping[str, str]:
        """The bucket that holds most now."""
        return {} if self.bucket else hold_to_found(self, lambda: _by_size(stack)[:1])


@dataclass
class Archived:
    """What is in the archive. digests: key → sha256 of the bytes that the store sent. etags: key → ETag. passed: how
    many objects were left out: deleted or written anew before they were read, or without an ETag.
    """

    digests: dict[str, str] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    bytes: int = 0
    passed: int = 0


def _by_size(stack: Stack) -> list[str]:
    return list(other_buckets(stack, SECONDS, COUNT_SECONDS)[0])


def _objects(s3: Any, bucket: str) -> Iterator[Mapping[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from page.get("Contents", [])


def _remove_dead_partials(folder: Path, bucket: str) -> None:
    """Remove the partial archives of killed runs. A run that still lives holds a lock on its file."""
    for partial in folder.glob(f"{bucket}-{STAMPED}.partial"):
        # Left where it is somebody else's, or where the file system cannot tell who holds it: then _there names it.
        with suppress(OSError), partial.open("r+b") as stream:
            if try_hold(stream.fileno()):
                partial.unlink()


def _there(folder: Path, bucket: str) -> str:
    """The words about the bucket's archives in that folder, those still being written too; "" where none is."""
    found = sorted(path for kind in ("tar", "partial") for path in folder.glob(f"{bucket}-{STAMPED}.{kind}"))
    return f"; of before there are {', '.join(map(str, found))}" if found else ""


def _require_room(stack: Stack, folder: Path, needed: int, earlier: str) -> None:
    """Make the folder. Raises: TerminalError where it is on the store's disk, or lacks room; that tells `earlier`."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_dev == objects_folder(stack).stat().st_dev:
        raise TerminalError(
            "an archive would lie on the disk of the store itself",
            where=str(folder),
            next_action="name a folder on another one (--arg folder=…), or give that disk more room",
        )
    room = shutil.disk_usage(folder)
    least = min(SPARE * room.total, SPARE_BYTES)
    if room.free - needed < least:
        raise TerminalError(
            f"{needed / 1e6:.0f} MB would leave less than {least / 1e6:.0f} MB free{earlier}",
            where=str(folder),
            next_action="free space there, or name another folder (--arg folder=…)",
        )


def _archive(s3: Any, bucket: str, found: list[Mapping[str, Any]], archive: Path) -> Archived:
    """Write the archive to the disk, and compare it with what the store sent; only then it gets its own name."""
    from botocore.exceptions import ClientError

    made, partial = Archived(), archive.with_suffix(".partial")
    stream = partial.open("xb")
    try:
        with stream:
            with suppress(OSError):  # a file system without locks: there no run can take the file for a dead run's
                try_hold(stream.fileno())
            with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for each in found:
                    if not each["ETag"].strip('"'):
                        # A file that somebody laid into the bucket's folder: nothing could tell if it has changed.
                        made.passed += 1
                        continue
                    try:
                        answer = s3.get_object(Bucket=bucket, Key=each["Key"], IfMatch=each["ETag"])
                    except ClientError as error:
                        if _status(error) not in GONE:
                            raise
                        made.passed += 1
                        continue
                    _add(tar, each["Key"], answer, made)
                    made.etags[each["Key"]] = each["ETag"]
            stream.flush()
            os.fsync(stream.fileno())
            _compare(partial, made.digests)
            os.link(partial, archive)
    finally:
        partial.unlink(missing_ok=True)
    return made


def _add(tar: tarfile.TarFile, key: str, answer: Mapping[str, Any], made: Archived) -> None:
    member, reading = tarfile.TarInfo(key), _Digested(answer["Body"])
    member.size, member.mtime = int(answer["ContentLength"]), int(answer["LastModified"].timestamp())
    told = {name: answer[name] for name in HEADERS if answer.get(name)}
    # The name in the archive may differ from the key, in its last slash for one, so the key is kept beside it.
    member.pax_headers = {KEY: key} | ({TOLD: json.dumps(told, sort_keys=True)} if told else {})
    tar.addfile(member, reading)  # type: ignore[arg-type]  # it calls read alone
    made.digests[key] = reading.digest.hexdigest()
    made.bytes += member.size


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
        read = {member.pax_headers[KEY]: _digest(tar.extractfile(member)) for member in tar}
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


def _delete_unchanged(s3: Any, bucket: str, archived: Archived) -> int:
    """Delete every object that is still as it was archived; gives how many are not. The store compares the ETags."""
    from botocore.exceptions import ClientError

    newer = 0
    for key, etag in archived.etags.items():
        try:
            s3.delete_object(Bucket=bucket, Key=key, IfMatch=etag)
        except ClientError as error:
            if _status(error) not in GONE:
                raise
            newer += 1
    return newer


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _refuse_own(bucket: str) -> None:
    if bucket in BUCKETS:
        raise InvalidInput(
            f"{bucket} is a bucket of this stack", where=STORE, next_action="an emptied one is lost data, no repair"
        )


class RollBackMain(Mitigation):
    """Take back what others did to main."""

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return "lakeproof lake rollback"

    def run(self, stack: Stack) -> str:
        """Do nothing where nobody else touched main. Raises: as `roll_back`."""
        done = roll_back(stack)
        if done is None:
            return "main is as it was published"
        return f"main begins again at {done.hash[:16]}; what it showed is kept as the tag {done.set_aside}"
