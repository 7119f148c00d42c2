"""Questions to the object store: which buckets and folders are there, does it still take writes, how late is it?

A drill compares the first answer before and after, so what changes while the stack works is left out. A table's
folder is named and not opened (its files come and go with every checkpoint). The folders that the job and the shop
work in are not named at all, for they come with their first object and go with their last one.

The second question writes, and so does `lake-writes`, as no other probe does but the like of them for labels
(labels.py): a store that is read-only or full answers every other question well. `store-writes` puts one object of
one byte into the bucket of Flink's checkpoints and deletes it again. A store that takes it may refuse the next one in
another bucket or folder, so `lake-writes` puts one where the lake's tables lie, and one beside the checkpoints.
versitygw 1.8 answers 403 where it was started with --readonly, 500 (InternalError) on a file system that is mounted
read-only, 409 (ExistingObjectIsDirectory) in an immutable folder, and 507 on a full disk (where it takes an empty
object all the same), or 500 there, by luck. So where it answers 500, the room on our own disk is looked at too.
"""

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import quote

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.probe import Probe
from lakeproof.probes.prometheus import instant
from lakeproof.probes.reading import Value
from lakeproof.stack.engines import minio
from lakeproof.stack.engines.flink import TASKMANAGER
from lakeproof.stack.engines.flink_config import road_of
from lakeproof.stack.object_store import (
    ATTACHMENT_BUCKET,
    BUCKETS,
    FLINK_BUCKET,
    LABEL_BUCKET,
    LAKE_BUCKET,
    PROBED,
    s3_client,
)
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.fulfillment.label import PENDING, READY

WRITABLE = "writable"
READ_ONLY = "refuses writes"
FULL = "full"
NOBODY = "none"
FORBIDDEN, NOT_ALLOWED, SERVER_ERROR, NO_ROOM = 403, 405, 500, 507
# With less room than this left, no object of the lake fits.
LEAST_BYTES = 64 << 10
# The error codes by which stores say that they are full, where the HTTP status alone does not say it.
FULL_CODES = ("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage")

# An answer takes some milliseconds; on a machine whose processors are full, some tenths of a second.
LATE_SECONDS = 0.7

# Folders are listed down to the folder of each table: Paimon's, and that of its Iceberg metadata.
OPENED = {LAKE_BUCKET: re.compile(r"wh/|wh/[^/]+\.db/|wh/iceberg/|wh/iceberg/[^/]+/")}
WORKED_IN = {
    FLINK_BUCKET: re.compile(rf"(checkpoints|savepoints)/|{PROBED}.*"),
    LAKE_BUCKET: re.compile(rf"(wh/)?{PROBED}.*"),
    LABEL_BUCKET: re.compile(f"{PENDING}|{READY}|{PROBED}.*"),
    ATTACHMENT_BUCKET: re.compile(r"\d+/"),  # of a support case
}
NEVER = re.compile(r"(?!)")
# The buckets and folders that the lake's job and its publisher write into.
OF_THE_LAKE = ((LAKE_BUCKET, "wh/"), (FLINK_BUCKET, "checkpoints/"))

FREE_BYTES = "min(minio_cluster_disk_free_bytes)"


@contextmanager
def answering() -> Iterator[None]:
    """An error of the store in the block becomes CouldNotLook."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where="minio", next_action="is it up?") from error


def objects(stack: Stack, timeout: float) -> Value:
    """Every bucket, and its folders and objects as above, sorted, joined by spaces; odd letters as in a URL."""
    with answering():
        found = sorted(quote(path) for path in list_folders(s3_client(stack, timeout_seconds=timeout, attempts=1)))
    return " ".join(found)


def writes(stack: Stack, timeout: float) -> Value:
    """WRITABLE, READ_ONLY, FULL, or the code of another error. It writes: one object of its own, deleted at once."""
    return write_probe(stack, timeout, FLINK_BUCKET, "")


def lake_writes(stack: Stack, timeout: float) -> Value:
    """WRITABLE, or the first of OF_THE_LAKE that takes no object and how it refuses: `lake/wh/: refuses writes`.

    Raises: CouldNotLook.
    """
    for bucket, folder in OF_THE_LAKE:
        answer = write_beside(stack, timeout, bucket, folder)
        if answer != WRITABLE:
            return f"{bucket}/{folder}: {answer}"
    return WRITABLE


def write_beside(stack: Stack, timeout: float, bucket: str, folder: str) -> Value:
    """As `write_probe`, in a folder that holds something; where it holds nothing, in the bucket's root.

    versitygw deletes a folder together with its last object, and somebody may write into an empty one just then.
    Raises: CouldNotLook.
    """
    with answering():
        found = minio.client(stack, timeout).list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=1)
    return write_probe(stack, timeout, bucket, folder if found.get("Contents") else "")


def writes_in_words(stack: Stack, timeout: float) -> str:
    """As `writes`; "no answer" where nobody could look."""
    with suppress(CouldNotLook):
        return str(writes(stack, timeout))
    return "no answer"


def write_probe(stack: Stack, timeout: float, bucket: str, prefix: str) -> Value:
    """As `writes`, under a prefix of a bucket; `prefix` ends with "/", or is "".

    Each process has a key of its own, so that two that ask at the same time do not delete each other's object. One
    that is killed in between leaves one byte, which the next process with its pid deletes. Raises: CouldNotLook.
    """
    from botocore.exceptions import ClientError

    client = minio.client(stack, timeout)
    place = {"Bucket": bucket, "Key": f"{prefix}{PROBED}{gethostname()}-{os.getpid()}"}
    with answering():
        try:
            client.put_object(**place, Body=b"?")
            client.delete_object(**place)
        except ClientError as error:
            status, code = (
                int(error.response["ResponseMetadata"]["HTTPStatusCode"]),
                str(error.response["Error"]["Code"]),
            )
            return FULL if status >= SERVER_ERROR and _no_room(stack) else _refusal(status, code)
    return WRITABLE


def _refusal(status: int, code: str) -> str:
    """Why the store did not take the object. For one status, the code tells a quota from a prohibition."""
    if status == NO_ROOM or code in FULL_CODES:
        return FULL
    return READ_ONLY if status in (FORBIDDEN, NOT_ALLOWED) else code


def _no_room(stack: Stack) -> bool:
    """True where the disk of our own store has no block or no inode to give. Of a store elsewhere: False.

    versitygw answers 500 where it is the folder of an object's lock that the full disk has no room for.
    """
    folder = minio.objects_folder(stack)
    if stack.settings.mode != "local" or not folder.exists():
        return False
    room = os.statvfs(folder)
    # A file system without a table of inodes (btrfs) reports 0 inodes in all, and 0 free.
    return room.f_bavail * room.f_frsize < LEAST_BYTES or (room.f_files > 0 and room.f_favail == 0)


def _free_bytes(folder: Path) -> int:
    """How many bytes the store may still write. It runs as this user; root may also write what is kept for root.

    For root this is up to 16.8 MB too much: ext4 keeps 4,096 blocks for itself, and counts them as free.
    """
    room = os.statvfs(folder)
    return (room.f_bfree if os.geteuid() == 0 else room.f_bavail) * room.f_frsize


def taskmanager_delay(stack: Stack, timeout: float) -> Value:
    """After how many seconds the store answers at the address that the TaskManager has of it.

    A network or a proxy may be slow for one client alone, so the TaskManager's own address is asked. Where no answer
    comes from there in time although the store answers us at once, this gives the time that was waited, the least
    that the delay can be. Raises: CouldNotLook.
    """
    road, own = road_of(stack, TASKMANAGER), stack.url("minio")
    # What is left of the time is for the second question.
    patience = timeout if road == own else timeout - LATE_SECONDS
    delay = _delay(stack, patience, road)
    if delay is not None:
        return delay
    if road != own and _delay(stack, LATE_SECONDS, own) is not None:
        return round(patience, 3)
    raise CouldNotLook(f"no answer within {timeout:g} s", where="minio", next_action="is it up?")


def _delay(stack: Stack, timeout: float, url: str) -> float | None:
    """After how many seconds the store answers at that address; None where not in time. Raises: CouldNotLook."""
    from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

    client = minio.client(stack, timeout, url)
    began = time.monotonic()
    with answering():
        try:
            client.head_bucket(Bucket=FLINK_BUCKET)
        except (ConnectTimeoutError, ReadTimeoutError):
            return None
    return round(time.monotonic() - began, 3)


def other_buckets(stack: Stack, timeout: float, seconds: float) -> tuple[dict[str, int], bool]:
    """Bucket → bytes, the largest first, of the buckets that are not the stack's and hold something; and whether all
    was counted within `seconds`. A bucket that we may not list is left out. Raises: CouldNotLook.
    """
    from botocore.exceptions import ClientError

    client = s3_client(stack, timeout_seconds=timeout, attempts=1)
    found: Counter[str] = Counter()
    deadline, whole = Deadline(seconds), True
    with answering():
        for bucket in (each["Name"] for each in client.list_buckets().get("Buckets", [])):
            if bucket in BUCKETS:
                continue
            with suppress(ClientError):
                for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                    found[bucket] += sum(int(each["Size"]) for each in page.get("Contents", []))
                    if deadline.expired:
                        whole = False
                        break
    return dict(each for each in found.most_common() if each[1]), whole


def strangers(stack: Stack, timeout: float) -> Value:
    """`BUCKET: N MB` of each of the other buckets, joined by commas; "at least" stands before it where half of the
    time is too short to list all; NOBODY where there is none. Raises: CouldNotLook.
    """
    found, whole = other_buckets(stack, timeout, timeout / 2)
    told = ", ".join(f"{name}: {size / 1e6:.0f} MB" for name, size in found.items())
    return f"{'' if whole else 'at least '}{told}" if told else NOBODY


def free_megabytes(stack: Stack, timeout: float) -> Value:
    """The room on the store's disk, in MB; of a store elsewhere by its own metrics. Raises: CouldNotLook."""
    folder = minio.objects_folder(stack)
    if stack.settings.mode == "local" and folder.exists():
        return round(_free_bytes(folder) / 1e6, 1)
    found = [value for _, value in instant(stack, FREE_BYTES, timeout)]
    if not found:
        raise CouldNotLook("nobody tells the room on its disk", where="minio", next_action="lakeproof ps")
    return round(found[0] / 1e6, 1)


def list_folders(client: Any) -> Iterator[str]:
    """`bucket/`, `bucket/folder/`, `bucket/object`, as above. Raises: botocore's errors."""
    for bucket in client.list_buckets().get("Buckets", []):
        name = bucket["Name"]
        yield f"{name}/"
        yield from (f"{name}/{path}" for path in _below(client, name, ""))


def _below(client: Any, bucket: str, folder: str) -> Iterator[str]:
    opened, worked_in = OPENED.get(bucket, NEVER), WORKED_IN.get(bucket, NEVER)
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder, Delimiter="/")
    for page in pages:
        # A folder may have an object of its own name that marks it.
        keys = [entry["Key"] for entry in page.get("Contents", [])]
        yield from (key for key in keys if key != folder and not worked_in.fullmatch(key))
        for entry in page.get("CommonPrefixes", []):
            inner = entry["Prefix"]
            if worked_in.fullmatch(inner):
                continue
            yield inner
            if opened.fullmatch(inner):
                yield from _below(client, bucket, inner)


PROBES = (
    Probe("objects", "minio", "list buckets, and folders down to the tables'", "", objects, inventory=True),
    Probe(
        "store-writes",
        "minio",
        f"PUT and DELETE {FLINK_BUCKET}/{PROBED}HOST-PID",
        "",
        writes,
        Condition(Operator.IS, WRITABLE),
        always=True,
    ),
    Probe(
        "lake-writes",
        "minio",
        "PUT and DELETE of an object under " + " and ".join(f"{bucket}/{folder}" for bucket, folder in OF_THE_LAKE),
        "",
        lake_writes,
        Condition(Operator.IS, WRITABLE),
        within=TASKMANAGER,
    ),
    Probe("store-other-buckets", "minio", f"list all buckets but {', '.join(BUCKETS)}", "", strangers),
    Probe("store-free-megabytes", "minio", f"statvfs of its folder, or {FREE_BYTES}", "MB", free_megabytes),
    Probe(
        "taskmanager-store-delay",
        "minio",
        f"HEAD {FLINK_BUCKET} at the s3.endpoint of {TASKMANAGER}'s config.yaml, timed",
        "s",
        taskmanager_delay,
        Condition(Operator.BELOW, LATE_SECONDS),
        about=(TASKMANAGER,),
        within=TASKMANAGER,
    ),
)
