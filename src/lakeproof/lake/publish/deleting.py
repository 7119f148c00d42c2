"""Deletes many objects of the lake at once, so that one that cannot go holds up no other."""

from collections.abc import Callable, Iterable
from itertools import batched
from typing import Any

from lakeproof.errors import TransientError
from lakeproof.stack.object_store import LAKE_BUCKET

AT_ONCE = 1000  # what one DeleteObjects takes


class NotDeleted(TransientError):
    """The store kept some of the objects; the next call tries again."""


def delete_each[T](items: Iterable[T], delete: Callable[[T], int]) -> int:
    """Call `delete` for each item; gives the sum of what it gives. An item that the store refuses holds up no other.

    Raises: NotDeleted or ClientError, the first of them, at the end. Other errors of botocore's at once: with a store
    that does not answer, every item would take its whole time limit.
    """
    from botocore.exceptions import ClientError

    deleted, failures = 0, []
    for item in items:
        try:
            deleted += delete(item)
        except (NotDeleted, ClientError) as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return deleted


def delete_keys(s3: Any, keys: Iterable[str]) -> None:
    """Delete the objects; one that is not there counts as deleted, as another publisher may have been quicker.

    Raises: NotDeleted where the store kept some, at the end; botocore's errors at once.
    """
    kept: list[Any] = []
    for some in batched(keys, AT_ONCE):
        objects = [{"Key": key} for key in some]
        answer = s3.delete_objects(Bucket=LAKE_BUCKET, Delete={"Objects": objects, "Quiet": True})
        kept += [error for error in answer.get("Errors", ()) if error.get("Code") != "NoSuchKey"]
    if kept:
        first = kept[0]
        raise NotDeleted(f"{len(kept)} objects stay: {first.get('Message') or first.get('Code')}", where=first["Key"])
