"""Deletes many objects of the lake at once."""

from collections.abc import Iterable
from itertools import batched
from typing import Any

from lakeproof.errors import TransientError
from lakeproof.stack.object_store import LAKE_BUCKET

AT_ONCE = 1000  # what one DeleteObjects takes


class NotDeleted(TransientError):
    """The store kept some of the objects; the next call tries again."""


def delete_keys(s3: Any, keys: Iterable[str]) -> None:
    """Delete the objects; one that is not there counts as deleted, as another publisher may have been quicker.

    Raises: NotDeleted where the store kept some, botocore's errors.
    """
    for some in batched(keys, AT_ONCE):
        objects = [{"Key": key} for key in some]
        answer = s3.delete_objects(Bucket=LAKE_BUCKET, Delete={"Objects": objects, "Quiet": True})
        errors = [error for error in answer.get("Errors", ()) if error.get("Code") != "NoSuchKey"]
        if errors:
            first = errors[0]
            raise NotDeleted(
                f"{len(errors)} objects stay: {first.get('Message') or first.get('Code')}", where=first["Key"]
            )
