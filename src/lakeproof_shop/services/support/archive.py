"""Attachments in the object store: written, checksummed by reading them back, given out again."""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lakeproof.stack.object_store import ATTACHMENT_BUCKET

CHUNK_BYTES = 256 * 1024
_ABSENT = frozenset({"NoSuchKey", "404"})


class NotInArchive(Exception):
    """The object is not there (`is_absent`), or the store does not answer."""

    is_absent = False


class Archive:
    """`client`: a botocore S3 client with timeouts of its own. Every call blocks: call it in a thread."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, case_id: int, file: uuid.UUID, path: Path, sha256: str) -> None:
        """Write the file, over any object there. Raises: NotInArchive, OSError."""
        with path.open("rb") as opened, _told():
            self._client.put_object(
                Bucket=ATTACHMENT_BUCKET, Key=_key(case_id, file), Body=opened, Metadata={"sha256": sha256}
            )

    def sha256(self, case_id: int, file: uuid.UUID) -> str:
        """The checksum of the object's bytes, as the store gives all of them back. Raises: NotInArchive."""
        digest = hashlib.sha256()
        for chunk in self.chunks(case_id, file):
            digest.update(chunk)
        return digest.hexdigest()

    def chunks(self, case_id: int, file: uuid.UUID) -> Iterator[bytes]:
        """The object's bytes, piece by piece. The store is only asked at the first piece. Raises: NotInArchive."""
        with (
            _told(),
            closing(self._client.get_object(Bucket=ATTACHMENT_BUCKET, Key=_key(case_id, file))["Body"]) as body,
        ):
            yield from body.iter_chunks(CHUNK_BYTES)


def _key(case_id: int, file: uuid.UUID) -> str:
    return f"{case_id}/{file}"


@contextmanager
def _told() -> Iterator[None]:
    """Turns the store's errors into NotInArchive."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        told = NotInArchive(f"{type(error).__name__}: {error}")
        told.is_absent = isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _ABSENT
        raise told from error
