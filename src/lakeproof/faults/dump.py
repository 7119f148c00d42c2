"""Who fills the store of faults/filled_store.py: `python -m lakeproof.faults.dump`.

A dump into a bucket of its own, that takes every block which somebody else's delete frees, and so keeps the store
full: else a job would live for good on what it deletes. It ends once what it wrote first is gone, as an upload does
that was taken away, where the store is gone for good, and where its objects no longer lie on a disk of their own: so
it never fills the machine's.
"""

import os
import time
from contextlib import suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakeproof.processes.detached import detach
from lakeproof.stack.engines.store_disk import has_own_disk
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack, load_stack

# Nobody else's: what is in it is deleted with the fault, and so are archives of it.
BUCKET = "lakeproof-fault-dump"
FIRST = "part-000000"
LARGEST, SMALLEST = 4 << 20, 1 << 10
PUT_SECONDS, PAUSE_SECONDS, GONE_SECONDS = 30.0, 0.3, 120.0
NOT_FOUND = 404


def dump(stack: Stack, s3: Any) -> None:
    """Fill it, and keep it full."""
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=FIRST, Body=os.urandom(SMALLEST))
    number, answered = 0, time.monotonic()
    while time.monotonic() - answered < GONE_SECONDS:
        # Halves, so that the last block is taken too.
        size = LARGEST
        try:
            while size >= SMALLEST:
                if not has_own_disk(stack) or _is_taken_away(s3):
                    return
                try:
                    number += 1
                    s3.put_object(Bucket=BUCKET, Key=f"part-{number:06}", Body=os.urandom(size))
                except ClientError:
                    size //= 2
                answered = time.monotonic()
        except BotoCoreError:
            pass  # it is being restarted, or hangs
        time.sleep(PAUSE_SECONDS)


def _is_taken_away(s3: Any) -> bool:
    """True where its first object is no longer there. Raises: botocore's errors, where the store does not answer."""
    try:
        s3.head_object(Bucket=BUCKET, Key=FIRST)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"]) == NOT_FOUND
    return False


if __name__ == "__main__":
    stack_of_caller = load_stack()
    client = s3_client(stack_of_caller, timeout_seconds=PUT_SECONDS, attempts=1)
    detach()
    dump(stack_of_caller, client)
