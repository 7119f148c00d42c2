"""A job's states in the object store, from which it can go on: retained checkpoints and savepoints.

A state is complete when its `_metadata` is there (written last). Its first bytes hold the checkpoint's id, which goes
on counting over restarts: the highest id is the newest state, whatever the machine's clock says.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakeproof.lake.sources.source import Source
from lakeproof.stack.object_store import FLINK_BUCKET, objects_under

METADATA = "/_metadata"
KEEP = 4

_HEADER = struct.Struct(">iiq")
_MAGIC = 0x4960672D


def checkpoints_prefix(database: Source) -> str:
    """Where the checkpoints of a database's job lie, in Flink's bucket."""
    return f"checkpoints/{database.job}/"


def savepoints_prefix(database: Source) -> str:
    """Where the savepoints of a database's job lie, in Flink's bucket."""
    return f"savepoints/{database.job}/"


def uri_of(prefix: str) -> str:
    """A folder of Flink's bucket as Flink names it."""
    return f"s3://{FLINK_BUCKET}/{prefix.rstrip('/')}"


def _prefixes(database: Source) -> tuple[str, str]:
    return checkpoints_prefix(database), savepoints_prefix(database)


@dataclass(frozen=True)
class State:
    """One complete checkpoint or savepoint: `uri` is what Flink is given to restore it."""

    checkpoint: int
    written_at: datetime
    uri: str


def parse_checkpoint_id(head: bytes) -> int | None:
    """The checkpoint id in the first 16 bytes of a `_metadata` file; None where they are not Flink's."""
    if len(head) < _HEADER.size:
        return None
    magic, _version, checkpoint = _HEADER.unpack(head[: _HEADER.size])
    return int(checkpoint) if magic == _MAGIC else None


def complete_states(s3: Any, database: Source) -> list[State]:
    """All complete states of a database's job, newest first. Raises botocore's errors.

    A state that Flink removes between list and look is left out: a stopped job's checkpoints go a moment later.
    """
    found = []
    for prefix in _prefixes(database):
        for key, written_at in _metadata_keys(s3, prefix):
            try:
                answer = s3.get_object(Bucket=FLINK_BUCKET, Key=key, Range=f"bytes=0-{_HEADER.size - 1}")
            except s3.exceptions.NoSuchKey:
                continue
            checkpoint = parse_checkpoint_id(answer["Body"].read())
            if checkpoint is not None:
                found.append(State(checkpoint, written_at, f"s3://{FLINK_BUCKET}/{key.removesuffix(METADATA)}"))
    return sorted(found, key=lambda state: (state.checkpoint, state.written_at), reverse=True)


def remove_old_states(s3: Any, database: Source, *, keep: int = KEEP, but: str | None = None) -> int:
    """Remove unfinished states, and all complete ones but the newest `keep`; gives how many objects were removed.

    `but`: a folder of checkpoints (a running job's) that is left alone. Call it while no job is being restored.
    """
    kept = [state.uri.removeprefix(f"s3://{FLINK_BUCKET}/") + "/" for state in complete_states(s3, database)[:keep]]
    if not kept:
        return 0
    # What a kept checkpoint shares with others of its job lies beside it, in shared/ and taskowned/.
    folders = {
        f"{key.rstrip('/').rpartition('/')[0]}/{beside}/" for key in kept for beside in ("shared", "taskowned")
    }
    spared = (*kept, *folders, *((but,) if but else ()))
    removed = 0
    for prefix in _prefixes(database):
        there = [entry["Key"] for entry in objects_under(s3, FLINK_BUCKET, prefix)]
        keys = [key for key in there if not key.startswith(spared) and not _is_above(key, spared)]
        # children before their folder markers: the store refuses to delete a folder that is not empty
        for key in sorted(keys, key=len, reverse=True):
            s3.delete_object(Bucket=FLINK_BUCKET, Key=key)
            removed += 1
    return removed


def _is_above(key: str, spared: tuple[str, ...]) -> bool:
    return key.endswith("/") and any(place.startswith(key) for place in spared)


def _metadata_keys(s3: Any, prefix: str) -> Iterator[tuple[str, datetime]]:
    for entry in objects_under(s3, FLINK_BUCKET, prefix):
        if entry["Key"].endswith(METADATA):
            yield entry["Key"], entry["LastModified"]
