"""Labels in the object store: written, read, copied, checked, deleted. Every call may be repeated and has a limit.

botocore blocks, so its calls run in a few threads of their own. A call that exceeds its limit is given up here; its
thread ends by botocore's own timeouts a moment later.
"""

import asyncio
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakeproof.stack.object_store import LABEL_BUCKET, objects_under
from lakeproof_shop.services.fulfillment.label import CHAOS, PENDING, Label, is_no_label
from lakeproof_shop.serving.times import iso
from lakeproof_shop.serving.traces import trace_id

THREADS = 10  # for a batch of the worker's, the listing and a health question at the same time
HOLD_UNTIL, HOLD_VERSION, SHA256, TRACE_ID = "hold-until", "hold-version", "sha256", "trace-id"
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


class StoreDown(Exception):
    """The object store did not answer in time, or answered that it cannot now: a later try helps."""


class StoreRefused(Exception):
    """The object store refused this label; a later try may help once somebody has mended the cause."""


@dataclass(frozen=True, slots=True)
class LabelLook:
    """The object under a label's key. `hold_version` is None where the service did not write the metadata."""

    size: int
    sha256: str
    hold_until: datetime | None
    hold_version: int | None


@dataclass(frozen=True, slots=True)
class ListedLabel:
    """One object of a listing."""

    key: str
    size: int
    etag: str
    modified_at: datetime


def parse_hold(text: str) -> datetime | None:
    """The time in UTC of a `hold-until` text; None for an empty one. Raises: StoreRefused where it is not a time."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise StoreRefused(f"{HOLD_UNTIL} is no ISO time: {text[:40]!r}") from None


class LabelStore:
    """`client`: a botocore S3 client with timeouts of its own; `call_seconds`: the limit on each call."""

    def __init__(self, client: Any, call_seconds: float) -> None:
        self._client, self._seconds = client, call_seconds
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="labels")

    def close(self) -> None:
        """Take no further calls; the calls under way end by their timeouts."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def ask(self) -> str:
        """Ask for /health whether the bucket answers. Raises: StoreDown, StoreRefused."""
        await self._call(lambda: self._client.head_bucket(Bucket=LABEL_BUCKET))
        return ""

    async def put_pending(self, label: Label, hold_until: datetime | None, hold_version: int) -> None:
        """Write the label under pending/, over any object there."""
        await self._put(label.pending_key, label, hold_until, hold_version)

    async def put_ready(self, label: Label) -> None:
        """Write the label under ready/: for a label that the database calls ready, but whose object is not right."""
        await self._put(label.ready_key, label, None, 0)

    async def look_pending(self, label: Label) -> LabelLook | None:
        """The object under pending/, None if there is none. Raises: StoreRefused also for a hold that is no time."""
        head = await self._or_none(lambda: self._client.head_object(Bucket=LABEL_BUCKET, Key=label.pending_key))
        if head is None:
            return None
        metadata = metadata_of(head)
        version = metadata.get(HOLD_VERSION, "")
        return LabelLook(
            int(head["ContentLength"]),
            metadata.get(SHA256, ""),
            parse_hold(metadata.get(HOLD_UNTIL, "")),
            int(version) if version.isdecimal() and len(version) < 10 else None,
        )

    async def copy_to_ready(self, label: Label) -> None:
        """Copy the label from pending/ to ready/ inside the store, with its metadata."""
        source = {"Bucket": LABEL_BUCKET, "Key": label.pending_key}
        await self._call(
            lambda: self._client.copy_object(Bucket=LABEL_BUCKET, Key=label.ready_key, CopySource=source)
        )

    async def is_ready(self, label: Label) -> bool:
        """True where the object under ready/ has every byte of the label. The whole object is read."""
        return await self._call(lambda: is_whole(self._client, label.ready_key, label.sha256))

    async def delete_pending(self, label: Label) -> None:
        """Delete the label under pending/; fine where there is none."""
        await self._or_none(lambda: self._client.delete_object(Bucket=LABEL_BUCKET, Key=label.pending_key))

    async def delete_ready(self, label: Label) -> None:
        """Delete the label under ready/; fine where there is none."""
        await self._or_none(lambda: self._client.delete_object(Bucket=LABEL_BUCKET, Key=label.ready_key))

    async def list_waiting(self) -> list[ListedLabel]:
        """Every object under pending/ and the rehearsal's prefix. The limit is ten times that of other calls."""
        return await self._call(lambda: [*self._list(PENDING), *self._list(CHAOS)], factor=10)

    async def hold_of(self, key: str) -> datetime | None:
        """The `hold-until` of any object; None where it has none, or is gone."""
        head = await self._or_none(lambda: self._client.head_object(Bucket=LABEL_BUCKET, Key=key))
        return None if head is None else parse_hold(metadata_of(head).get(HOLD_UNTIL, ""))

    async def _put(self, key: str, label: Label, hold_until: datetime | None, hold_version: int) -> None:
        metadata = {SHA256: label.sha256, HOLD_VERSION: str(hold_version)}
        if trace_id.get():
            metadata[TRACE_ID] = trace_id.get()
        if hold_until is not None:
            metadata[HOLD_UNTIL] = iso(hold_until)
        await self._call(
            lambda: self._client.put_object(
                Bucket=LABEL_BUCKET,
                Key=key,
                Body=label.body,
                ContentType="text/plain; charset=utf-8",
                Metadata=metadata,
            )
        )

    def _list(self, prefix: str) -> list[ListedLabel]:
        return [
            ListedLabel(entry["Key"], int(entry["Size"]), entry.get("ETag", ""), entry["LastModified"])
            for entry in objects_under(self._client, LABEL_BUCKET, prefix)
            if not is_no_label(entry["Key"], prefix)
        ]

    async def _or_none(self, call: Callable[[], Any]) -> Any | None:
        try:
            return await self._call(call)
        except StoreRefused as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and is_absent(cause):
                return None
            raise

    async def _call[T](self, call: Callable[[], T], factor: float = 1.0) -> T:
        """Raises: StoreDown, StoreRefused."""
        seconds = self._seconds * factor
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except TimeoutError as error:
            raise StoreDown(f"no answer within {seconds:g} s") from error
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or status == 429:
                raise StoreDown(f"answered {status} {_code(error)}") from error
            raise StoreRefused(f"answered {status} {_code(error)}") from error
        except (BotoCoreError, OSError) as error:
            raise StoreDown(f"no answer ({type(error).__name__})") from error


def metadata_of(head: dict[str, Any]) -> dict[str, str]:
    """The metadata in an answer of `head_object`, by names in lower case: stores do not all keep the case."""
    return {name.lower(): value for name, value in head.get("Metadata", {}).items()}


def is_whole(client: Any, key: str, sha256: str) -> bool:
    """True where the object, read as a whole, has that checksum; False if it is gone. Raises: botocore's errors."""
    digest = hashlib.sha256()
    try:
        with closing(client.get_object(Bucket=LABEL_BUCKET, Key=key)["Body"]) as body:
            while chunk := body.read(65536):
                digest.update(chunk)
    except ClientError as error:
        if is_absent(error):
            return False
        raise
    return digest.hexdigest() == sha256


def is_absent(error: ClientError) -> bool:
    """True where the object store says that there is no such object."""
    return _code(error) in _ABSENT


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
