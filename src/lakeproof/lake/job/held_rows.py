"""What a job holds of transactions whose END has not come: read from a state of it in the object store.

The job keeps such an event as it came, as bytes with their length before them (TransactionAligner.java). Flink writes
an operator's own state as it is: into the state's `_metadata` where it is small, else into a file beside it. So the
events are found by their form, without Flink.
"""

import json
import struct
from collections.abc import Iterator
from typing import Any

from lakeproof.lake.job.states import State
from lakeproof.stack.object_store import bucket_and_key, objects_under

_LENGTH = struct.Struct(">i")


def held_rows(s3: Any, state: State) -> list[dict[str, Any]]:
    """The events that wait for their transaction's END in that state of a job, oldest first.

    They wait in one file: where a file holds some, no other does. Raises: botocore's errors.
    """
    bucket, folder = bucket_and_key(state.uri)
    for entry in objects_under(s3, bucket, f"{folder}/"):
        found = list(events_in(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()))
        if found:
            return found
    return []


def events_in(written: bytes) -> Iterator[dict[str, Any]]:
    """The changes of a transaction among these bytes, in their order."""
    at = written.find(b"{")
    while at >= 0:
        event, end = _event_at(written, at)
        if event is not None:
            yield event
        at = written.find(b"{", end)


def _event_at(written: bytes, at: int) -> tuple[dict[str, Any] | None, int]:
    """The event whose text begins there, and where it ends; None where there is none, and the next place to look."""
    if at < _LENGTH.size:
        return None, at + 1
    (length,) = _LENGTH.unpack(written[at - _LENGTH.size : at])
    end = at + length
    if length <= 0 or end > len(written):
        return None, at + 1
    try:
        told = json.loads(written[at:end])
    except ValueError:
        return None, at + 1
    if "op" in told and isinstance(told.get("transaction"), dict):
        return told, end
    return None, at + 1
