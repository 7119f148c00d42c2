"""An object store and a fulfillment service made up, for what is done to labels by hand."""

import hashlib
import io
from typing import Any

import httpx
from botocore.exceptions import ClientError


class FakeStore:
    """Objects by key: (body, metadata), as botocore gives them."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}

    def put(self, key: str, **metadata: str) -> None:
        body = key.encode()
        written = {name.replace("_", "-"): value for name, value in metadata.items()}
        self.objects[key] = (body, {"sha256": hashlib.sha256(body).hexdigest(), **written})

    def get_paginator(self, _: str) -> "FakeStore":
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, Any]]:
        found = [key for key in sorted(self.objects) if key.startswith(Prefix)]
        return [{"Contents": [{"Key": key, "Size": len(self.objects[key][0])} for key in found]}]

    def _found(self, key: str) -> tuple[bytes, dict[str, str]]:
        if key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "Operation")
        return self.objects[key]

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Metadata": self._found(Key)[1]}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._found(Key)[0])}

    def copy_object(self, Key: str, CopySource: dict[str, str], Metadata: dict[str, str], **_: str) -> None:
        self.objects[Key] = (self._found(CopySource["Key"])[0], Metadata)

    def delete_object(self, Bucket: str, Key: str) -> None:
        self.objects.pop(Key, None)


class FakeService:
    """Parcels by id: what the database holds them until. One that is let go is moved at once.

    away: it gives no answer. refuses: it says that the parcel has gone on.
    """

    def __init__(self, store: FakeStore) -> None:
        self.store, self.held = store, dict[int, str | None]()
        self.away = self.refuses = False

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("refused")
        if self.refuses:
            return httpx.Response(409)
        number = int(request.url.path.split("/")[2])
        if request.method == "POST":
            assert request.headers["idempotency-key"]
            self.held[number] = None
            if f"pending/{number}" in self.store.objects:
                self.store.objects[f"ready/{number}"] = self.store.objects.pop(f"pending/{number}")
            elif f"ready/{number}" not in self.store.objects:  # one that was moved by hand is taken as it is
                self.store.put(f"ready/{number}")
        return httpx.Response(200, json={"status": "label_pending", "hold_until": self.held.get(number)})
