"""Holds that somebody wrote on labels in the object store by hand: how to find, write and remove them.

The service writes `hold-version` beside `hold-until`. A label without `hold-version` was written by somebody else;
the service takes such a hold over into its database, as a hold that no caller of the service asked for.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from lakeproof.errors import TerminalError, TransientError
from lakeproof.stack.object_store import LABEL_BUCKET, objects_under
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.fulfillment.label import CHAOS, PENDING, fulfillment_of, is_no_label
from lakeproof_shop.services.fulfillment.label_store import (
    HOLD_UNTIL,
    HOLD_VERSION,
    SHA256,
    StoreRefused,
    is_absent,
    metadata_of,
    parse_hold,
)
from lakeproof_shop.serving.times import iso

SERVICE = "fulfillment-service"
CALL_SECONDS = 5.0
# Two spellings of one time differ by less than this.
SAME = timedelta(seconds=1)
# The metadata key that `let_go` writes instead of HOLD_UNTIL. The service reads HOLD_UNTIL alone, so it may move such
# a label. The old time is kept until the service has called off its own hold: a run after a cut still finds it there.
WAS_HELD_UNTIL = "was-held-until"
# The service may be moving a label whose hold ends sooner than this.
MARGIN = timedelta(seconds=3)
# A probe reads the metadata of at most this many labels; more would keep the store busy for seconds.
MOST_LOOKED_AT = 500


@dataclass(frozen=True, slots=True)
class WaitingLabel:
    """A label under pending/, or a rehearsal's.

    hold_until: the hold written on the label, or the one that `let_go` began to remove.
    by_hand: True where the service did not write the metadata.
    """

    key: str
    hold_until: datetime | None
    by_hand: bool
    sha256: str

    @property
    def fulfillment_id(self) -> int | None:
        """The fulfillment of this label; None for a label of no fulfillment (`fulfillment_of`)."""
        return fulfillment_of(self.key)

    @property
    def is_rehearsed(self) -> bool:
        """True for a label that a rehearsal made, which may be deleted."""
        return self.key.startswith(CHAOS)

    def is_held_by_hand(self, now: datetime) -> bool:
        """True while a hold that the service did not write keeps the label."""
        return self.by_hand and self.hold_until is not None and self.hold_until > now


def waiting_labels(client: Any) -> list[WaitingLabel]:
    """Every label under pending/ and of a rehearsal with what is written on it. Raises: botocore's errors."""
    return read_labels(client, waiting_keys(client))


def labels_held_by_hand(client: Any) -> list[WaitingLabel]:
    """The labels of parcels that somebody holds in the store now. Raises: botocore's errors."""
    now = datetime.now(UTC)
    return [one for one in waiting_labels(client) if one.fulfillment_id is not None and one.is_held_by_hand(now)]


def waiting_keys(client: Any) -> list[tuple[str, int]]:
    """(key, bytes) of every label under pending/ and of a rehearsal. The rehearsal's come first, so that a reader who
    stops early has seen them. Raises: botocore's errors.
    """
    return [*listed(client, CHAOS), *listed(client, PENDING)]


def read_labels(client: Any, keys: Iterable[tuple[str, int]]) -> list[WaitingLabel]:
    """The labels under these keys, without those that were moved meanwhile. Raises: botocore's errors."""
    found = []
    for key, _ in keys:
        metadata = _metadata(client, key)
        if metadata is None:
            continue
        try:
            until = parse_hold(metadata.get(HOLD_UNTIL, metadata.get(WAS_HELD_UNTIL, "")))
        except StoreRefused:  # not a readable time: the label counts as held for ever
            until = datetime.max.replace(tzinfo=UTC)
        found.append(WaitingLabel(key, until, HOLD_VERSION not in metadata, metadata.get(SHA256, "")))
    return found


def listed(client: Any, prefix: str) -> list[tuple[str, int]]:
    """(key, bytes) of every object under that prefix of the labels' bucket. Raises: botocore's errors."""
    entries = objects_under(client, LABEL_BUCKET, prefix)
    return [(entry["Key"], int(entry["Size"])) for entry in entries if not is_no_label(entry["Key"], prefix)]


def write_hold(client: Any, label: WaitingLabel, until: datetime | None, name: str = HOLD_UNTIL) -> bool:
    """Write a hold on the label (None: remove it) as a person with the store's keys would; the label's bytes stay.

    name: the metadata key that gets the time. False: the label is gone. Raises: botocore's errors.
    """
    held = {} if until is None else {name: iso(until)}
    try:
        client.copy_object(
            Bucket=LABEL_BUCKET,
            Key=label.key,
            CopySource={"Bucket": LABEL_BUCKET, "Key": label.key},
            MetadataDirective="REPLACE",
            ContentType="text/plain; charset=utf-8",
            Metadata={SHA256: label.sha256, **held},
        )
    except ClientError as error:
        if is_absent(error):
            return False
        raise
    return True


def let_go(stack: Stack, client: Any, label: WaitingLabel) -> bool:
    """Take the hold off the label, and call it off with the service where the service took it over.

    Safe to repeat after any cut: until the service agreed, the label says that it was held, and counts as held.
    True: the service moves the label now. False: it is gone, is no fulfillment's, or waits as its buyer wishes.
    Raises: botocore's errors, TransientError where the service gives no answer, TerminalError where it refuses.
    """
    if label.fulfillment_id is None or not write_hold(client, label, label.hold_until, WAS_HELD_UNTIL):
        return False
    with _service(stack, label.fulfillment_id) as (calling, url):
        parcel = calling.get(url).raise_for_status().json()
        held = parcel["hold_until"]
        if parcel["status"] not in ("requested", "label_pending") or held is None:
            return True
        # The service took this hold over only if its own hold has the same time. Any other hold is the buyer's wish.
        wished = datetime.fromisoformat(held)
        if label.hold_until is None or abs(wished - label.hold_until) > SAME:
            if wished > datetime.now(UTC) + MARGIN:
                write_hold(client, label, None)
            return False
        _call_off(calling, url).raise_for_status()
    return True


def call_off(stack: Stack, fulfillment_id: int) -> None:
    """Call off the hold that the service has on that parcel; fine where the parcel has gone on meanwhile.

    Raises: TransientError where the service gives no answer, TerminalError where it refuses.
    """
    with _service(stack, fulfillment_id) as (calling, url):
        answer = _call_off(calling, url)
        if answer.status_code != HTTPStatus.CONFLICT:
            answer.raise_for_status()


def _call_off(calling: httpx.Client, url: str) -> httpx.Response:
    headers = {"idempotency-key": f"let-go-{uuid.uuid4().hex}"}
    return calling.post(f"{url}/hold", json={"hold_until": None}, headers=headers)


@contextmanager
def _service(stack: Stack, fulfillment_id: int) -> Iterator[tuple[httpx.Client, str]]:
    """An HTTP client and the URL of the parcel. Turns HTTP errors into TerminalError or TransientError."""
    url = f"{stack.url(SERVICE)}/fulfillments/{fulfillment_id}"
    try:
        with httpx.Client(timeout=CALL_SECONDS, trust_env=False) as calling:
            yield calling, url
    except httpx.HTTPStatusError as error:
        raise TerminalError(f"answered {error.response.status_code}", where=url) from error
    except (httpx.HTTPError, ValueError) as error:
        raise TransientError(
            f"no answer ({type(error).__name__})", where=url, next_action=f"lakeproof up {SERVICE}"
        ) from error


@contextmanager
def store_told() -> Iterator[None]:
    """Turns the store's errors into ours: TerminalError where it refused, TransientError where it did not answer."""
    try:
        yield
    except ClientError as error:
        raise TerminalError(
            f"the object store refused: {error}",
            where=LABEL_BUCKET,
            next_action="see that the bucket and the keys are right",
        ) from error
    except BotoCoreError as error:
        raise TransientError(
            f"no answer from the object store ({type(error).__name__})", where="minio", next_action="lakeproof ps"
        ) from error


def _metadata(client: Any, key: str) -> dict[str, str] | None:
    try:
        head = client.head_object(Bucket=LABEL_BUCKET, Key=key)
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return metadata_of(head)
