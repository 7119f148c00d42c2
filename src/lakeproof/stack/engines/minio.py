"""The S3 store: versitygw on a folder. It is called minio, after the server that takes its place in compose.

versitygw 1.8.0: Apache-2, one binary, conditional PUT works. Traps: root and versioning folders must be absolute;
an object `a` beside `a/1` is refused; a deleted "folder" that is not empty is an error, so Flink and Paimon must
keep directory markers (`s3.directory.marker.retention=keep`).
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from lakeproof.errors import NotReady, TerminalError
from lakeproof.held_file import hold
from lakeproof.install import artifacts
from lakeproof.stack.component import STEPS_BACK, Command, Component, Hook
from lakeproof.stack.object_store import REGION, client_of
from lakeproof.stack.stack import Stack

HEALTH_PATH = "/minio/health/live"


def read_only_mark(stack: Stack) -> Path:
    """A file. While it is there, the store starts read-only: it answers reads, and refuses every write."""
    return stack.data_dir("minio") / "read-only"


def objects_folder(stack: Stack) -> Path:
    """Where our own store keeps its objects: a folder for each bucket."""
    return stack.data_dir("minio") / "objects"


def moved_out_folder(stack: Stack) -> Path:
    """Archives of what was moved out of the store to make room there (mitigations/offload_bucket.py)."""
    return stack.data_dir("minio") / "moved-out"


def command(stack: Stack) -> Command:
    """One process over data/minio/objects; keys go through the environment."""
    return Command(
        (
            str(artifacts.path("versitygw") / "bin" / "versitygw"),
            "--port",
            f"{stack.settings.host}:{stack.port('minio')}",
            "--region",
            REGION,
            "--health",
            HEALTH_PATH,
            "--folder",
            str(objects_folder(stack)),
            *(("--readonly",) if read_only_mark(stack).exists() else ()),
        ),
        env={
            "ROOT_ACCESS_KEY": stack.secret("s3-access-key"),
            "ROOT_SECRET_KEY": stack.secret("s3-secret-key"),
            # By default Go collects garbage whenever the heap has doubled. With a heap as small as this, 42 % of the
            # store's CPU went there (perf). With 800 the heap may grow to nine times its size: 70 MB in all, not
            # 28. Near the limit Go collects sooner, so that many large requests do not take nine times their memory.
            "GOGC": "800",
            "GOMEMLIMIT": "256MiB",
        },
    )


@contextmanager
def may_not_start(stack: Stack, seconds: float) -> Iterator[None]:
    """In the block the store gets no new process, and nobody else moves its objects. A process that runs goes on.

    seconds: how long to wait while another caller is in such a block. Raises: HeldByAnother.
    """
    with hold(objects_folder(stack).with_name("moving.lock"), f"pid {os.getpid()}", seconds):
        yield


def prepare(stack: Stack) -> None:
    """Make the folder of objects.

    Raises: HeldByAnother while somebody moves the objects; TerminalError where the objects lie elsewhere, after a
    fault that was cut off.
    """
    with may_not_start(stack, 0.0):
        _make_folder(objects_folder(stack))


def _make_folder(folder: Path) -> None:
    if not folder.exists() and (folder.is_symlink() or any(folder.parent.glob(f"{folder.name}.*"))):
        raise TerminalError(
            "its objects lie beside their folder, or on a disk that is not mounted",
            where=str(folder),
            next_action="lakeproof fault remove filled_store",
        )
    folder.mkdir(parents=True, exist_ok=True)


def ready(stack: Stack, timeout: float) -> None:
    """It answers a signed request for the list of buckets."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client(stack, timeout).list_buckets()
    except (BotoCoreError, ClientError) as error:
        raise NotReady(f"no answer to a signed request: {error}", where="minio") from error


_making = threading.Lock()


@lru_cache(maxsize=4)
def _cached_client(endpoint: str, access_key: str, secret_key: str, timeout: float) -> Any:
    return client_of(endpoint, access_key, secret_key, timeout_seconds=timeout, attempts=1)


def client(stack: Stack, timeout: float, url: str | None = None) -> Any:
    """A client that sends each request once. It is kept for the next caller, since making a client takes long.

    url: the store's address, where it is not the stack's.
    """
    with _making:
        return _cached_client(
            url or stack.url("minio"), stack.secret("s3-access-key"), stack.secret("s3-secret-key"), timeout
        )


COMPONENTS = (
    Component(
        name="minio",
        kind="engine",
        command=command,
        ready=ready,
        prepare=prepare,
        hooks=(Hook.PROVISION,),
        start_seconds=30.0,
        image="minio/minio:RELEASE.2025-04-22T22-12-26Z",
        summary="object store (S3)",
        nice=STEPS_BACK,
        one_because="one process serves one folder",
    ),
)
