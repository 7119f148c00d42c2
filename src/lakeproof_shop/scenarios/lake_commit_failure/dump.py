"""Who fills the store of the fault filled_store: `python -m lakeproof_shop.scenarios.lake_commit_failure.dump`.

The dump goes into a bucket of its own. It takes every block that somebody else's delete frees, and so keeps the store
full; otherwise a job would live for good on what it deletes. The dump ends once its first object is gone (as an
upload does that was taken away), where the store is gone for good, or where the objects no longer lie on a disk of
their own: so it never fills the machine's disk.
"""

import os
import time
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lakeproof.processes.detached import detach
from lakeproof.stack.engines import store_disk
from lakeproof.stack.object_store import s3_client
from lakeproof.stack.stack import Stack, load_stack

# Nobody else's bucket: its objects are deleted with the fault, and so are archives of it.
BUCKET = "lakeproof-fault-dump"
FIRST = "part-000000"
LARGEST, SMALLEST = 4 << 20, 1 << 10
PUT_SECONDS, PAUSE_SECONDS, GONE_SECONDS = 30.0, 0.3, 60.0
NOT_FOUND = 404


def dump(stack: Stack, s3: Any) -> None:
    """Fill the store, and keep it full."""
    number, begun, answered = 0, False, time.monotonic()
    while time.monotonic() - answered < GONE_SECONDS and store_disk.is_filled_alone(stack):
        try:
            begun = begun or _begin(s3)
            # Ever smaller objects (LARGEST, its half …), so that the last block is taken too.
            size = LARGEST
            while size >= SMALLEST:
                if not store_disk.is_filled_alone(stack) or (begun and not _is_there(s3)):
                    return
                number += 1
                size = size if _put(s3, f"part-{number:06}", size) else size // 2
                answered = time.monotonic()
        except BotoCoreError:
            pass  # the store is being restarted, or hangs
        time.sleep(PAUSE_SECONDS)


def _begin(s3: Any) -> bool:
    """Make the bucket and its first object, unless they are there; False where there is no room."""
    try:
        s3.create_bucket(Bucket=BUCKET)
    except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        pass
    except ClientError:
        return False
    return _is_there(s3) or _put(s3, FIRST, SMALLEST)


def _put(s3: Any, key: str, size: int) -> bool:
    """True where the store took the object."""
    try:
        s3.put_object(Bucket=BUCKET, Key=key, Body=os.urandom(size))
    except ClientError:
        return False
    return True


def _is_there(s3: Any) -> bool:
    """False where the first object is no longer there. Raises: BotoCoreError, where the store does not answer."""
    try:
        s3.head_object(Bucket=BUCKET, Key=FIRST)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"]) != NOT_FOUND
    return True


if __name__ == "__main__":
    stack_of_caller = load_stack()
    client = s3_client(stack_of_caller, timeout_seconds=PUT_SECONDS, attempts=1)
    detach()
    dump(stack_of_caller, client)
