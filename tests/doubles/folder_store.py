"""An S3 store that is a folder on disk: BUCKET/KEY is a file."""

from io import BytesIO
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from lakeproof.stack.object_store import LAKE_BUCKET


class FolderStore:
    """The calls that the publisher makes, and `put` and `remove` for the lake's own bucket."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, key: str, content: bytes) -> str:
        """Gives the object's address."""
        self.put_object(LAKE_BUCKET, key, content)
        return f"s3://{LAKE_BUCKET}/{key}"

    def remove(self, key: str) -> None:
        (self.folder / LAKE_BUCKET / key).unlink()

    def put_object(self, Bucket: str, Key: str, Body: bytes, IfNoneMatch: str = "") -> None:
        path = self.folder / Bucket / Key
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb" if IfNoneMatch else "wb") as file:
            file.write(Body)

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": BytesIO(self._path(Bucket, Key).read_bytes())}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"ContentLength": self._path(Bucket, Key).stat().st_size}

    def _path(self, bucket: str, key: str) -> Path:
        path = self.folder / bucket / key
        if not path.exists():
            told: Any = {"Error": {"Code": "NoSuchKey"}, "ResponseMetadata": {"HTTPStatusCode": 404}}
            raise ClientError(told, "GetObject")
        return path
