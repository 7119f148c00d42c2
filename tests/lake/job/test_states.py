"""Which state the job goes on from."""

import io
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from lakeproof.lake.job.states import complete_states, parse_checkpoint_id, remove_old_states
from lakeproof.lake.sources.source import OLTP


class NoSuchKey(Exception):
    """As the store says it."""


class Objects:
    """The few S3 calls that are used, over a dict. `vanishing`: listed, and gone when it is asked for."""

    exceptions = SimpleNamespace(NoSuchKey=NoSuchKey)

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.vanishing = ""

    def get_object(self, *, Bucket: str, Key: str, Range: str) -> dict[str, Any]:
        if Key == self.vanishing:
            raise NoSuchKey(Key)
        return {"Body": io.BytesIO(self.objects[Key][:16])}

    def get_paginator(self, _: str) -> "Objects":
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        at = datetime(2026, 11, 24, tzinfo=UTC)
        yield {"Contents": [{"Key": key, "LastModified": at} for key in list(self.objects) if key.startswith(Prefix)]}

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        del self.objects[Key]


def head(checkpoint: int) -> bytes:
    return struct.pack(">iiq", 0x4960672D, 4, checkpoint) + b"rest"


JOB_A, JOB_B = "checkpoints/lake-oltp/aaaa", "checkpoints/lake-oltp/bbbb"


def store() -> Objects:
    return Objects(
        {
            f"{JOB_A}/": b"",
            f"{JOB_A}/chk-8/_metadata": head(8),
            f"{JOB_A}/chk-8/state": b"x",
            f"{JOB_A}/shared/": b"",
            "savepoints/lake-oltp/savepoint-1/_metadata": head(9),
            f"{JOB_B}/chk-12/_metadata": head(12),
            f"{JOB_B}/chk-13/state-without-metadata": b"x",
            f"{JOB_B}/shared/part": b"x",
        }
    )


def test_the_highest_complete_checkpoint_is_the_newest_whatever_its_job_and_date() -> None:
    found = complete_states(store(), OLTP)
    assert [state.checkpoint for state in found] == [12, 9, 8]
    assert found[0].uri == "s3://flink/checkpoints/lake-oltp/bbbb/chk-12"
    assert found[1].uri == "s3://flink/savepoints/lake-oltp/savepoint-1"


def test_a_checkpoint_that_goes_while_it_is_looked_at_is_left_out() -> None:
    objects = store()
    objects.vanishing = f"{JOB_B}/chk-12/_metadata"
    assert [state.checkpoint for state in complete_states(objects, OLTP)] == [9, 8]


def test_a_file_that_is_not_flinks_is_passed_over() -> None:
    assert parse_checkpoint_id(b"short") is None
    assert parse_checkpoint_id(b"0123456789abcdef") is None
    assert parse_checkpoint_id(head(77)) == 77


def test_old_states_go_and_what_the_kept_ones_need_stays() -> None:
    objects = store()
    remove_old_states(objects, OLTP, keep=1)
    assert set(objects.objects) == {f"{JOB_B}/chk-12/_metadata", f"{JOB_B}/shared/part"}


def test_the_running_jobs_folder_is_left_alone() -> None:
    objects = store()
    remove_old_states(objects, OLTP, keep=1, but=f"{JOB_A}/")
    assert f"{JOB_A}/chk-8/state" in objects.objects


def test_nothing_is_removed_while_no_state_is_complete() -> None:
    objects = Objects({f"{JOB_A}/chk-1/state": b"x"})
    assert remove_old_states(objects, OLTP) == 0
