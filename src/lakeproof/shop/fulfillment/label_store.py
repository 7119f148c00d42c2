"""Labels in the object store: written, looked at, copied, checked, deleted. Every call may be repeated, and ends.

botocore blocks, so its calls run in a few threads of their own; a call that has not ended in its time is given up
here (its thread ends by botocore's own timeouts a moment later).
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

from lakeproof.services.times import iso
from lakeproof.services.traces import trace_id
from lakeproof.shop.fulfillment.label import CHAOS, PENDING, Label, is_no_label
from lakeproof.stack.object_store import LABEL_BUCKET, objects_under

THREADS = 10  # a batch of the worker's, the listing, a health question
HOLD_UNTIL, HOLD_VERSION, SHA256, TRACE_ID = "hold-until", "hold-version", "sha256", "trace-id"
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


class StoreDown(Exception):
    """The object store did not answer in time, or said that it cannot now: a later try helps."""


class StoreRefused(Exception):
    """The object store said no to this label; a later try may help once somebody mended it."""


@dataclass(frozen=True, slots=True)
class LabelLook:
    """What lies under a label's key. `hold_version` is None where somebody else wrote the metadata."""

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
    """`hold-until` as a time in UTC; empty: none. Raises: StoreRefused for what is no time: the label stays."""
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
        """No further calls; those under way end by their timeouts."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def ask(self) -> str:
        """For health: the bucket answers. Raises: StoreDown, StoreRefused."""
        await self._call(lambda: self._client.head_bucket(Bucket=LABEL_BUCKET))
        return ""

    async def put_pending(self, label: Label, hold_until: datetime | None, hold_version: int) -> None:
        """Write the label under pending/, over what was there."""
        await self._put(label.pending_key, label, hold_until, hold_version)

    async def put_ready(self, label: Label) -> None:
        """Write the label under ready/: where the database says that it is ready, and the object is not right."""
        await self._put(label.ready_key, label, None, 0)

    async def look_pending(self, label: Label) -> LabelLook | None:
        """What lies under pending/; None: nothing. Raises: StoreRefused also for metadata that cannot be read."""
        head = await self._or_none(lambda: self._client.head_object(Bucket=LABEL_BUCKET, Key=label.pending_key))
        if head is None:
            return None
        metadata = {name.lower(): value for name, value in head.get("Metadata", {}).items()}
        version = metadata.get(HOLD_VERSION, "")
        return LabelLook(
            int(head["ContentLength"]),
            metadata.get(SHA256, ""),
            parse_hold(metadata.get(HOLD_UNTIL, "")),
            int(version) if version.isdecimal() and len(version) < 10 else None,
        )

    async def copy_to_ready(self, label: Label) -> None:
        """Copy inside the store; the metadata go along."""
        source = {"Bucket": LABEL_BUCKET, "Key": label.pending_key}
        await self._call(
            lambda: self._client.copy_object(Bucket=LABEL_BUCKET, Key=label.ready_key, CopySource=source)
        )

    async def is_ready(self, label: Label) -> bool:
        """True where the object under ready/ has every byte of the label: read, not believed."""
        return await self._call(lambda: is_whole(self._client, label.ready_key, label.sha256))

    async def delete_pending(self, label: Label) -> None:
        """Nothing under pending/ any more; nothing there before is fine."""
        await self._or_none(lambda: self._client.delete_object(Bucket=LABEL_BUCKET, Key=label.pending_key))

    async def delete_ready(self, label: Label) -> None:
        """The same under ready/."""
        await self._or_none(lambda: self._client.delete_object(Bucket=LABEL_BUCKET, Key=label.ready_key))

    async def list_waiting(self) -> list[ListedLabel]:
        """Every object under pending/ and under the rehearsal's prefix. It may take ten times a call's time."""
        return await self._call(lambda: [*self._list(PENDING), *self._list(CHAOS)], factor=10)

    async def hold_of(self, key: str) -> datetime | None:
        """`hold-until` of any object; None: none, or the object is gone."""
        head = await self._or_none(lambda: self._client.head_object(Bucket=LABEL_BUCKET, Key=key))
        return None if head is None else parse_hold(head.get("Metadata", {}).get(HOLD_UNTIL, ""))

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


def is_whole(client: Any, key: str, sha256: str) -> bool:
    """True where every byte of that object is as the checksum says: read, not believed. Raises: botocore's errors."""
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
