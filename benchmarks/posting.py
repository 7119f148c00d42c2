"""A client of a service as its callers are: JSON, and each change under a key of its own."""

import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Protocol

import aiohttp
import orjson

from lakeproof.errors import TerminalError


class Post(Protocol):
    """`await post(path, body, wanted)`: gives the answer's body. A call without a body has no idempotency key."""

    async def __call__(self, path: str, body: object, wanted: int) -> bytes:
        """Raises: TerminalError where another status than `wanted` comes back."""


@contextlib.asynccontextmanager
async def posting(url: str) -> AsyncIterator[Post]:
    """A Post to the service at `url`, over as many connections as there are calls at the same time."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def post(path: str, body: object, wanted: int) -> bytes:
            data, headers = None, {}
            if body is not None:
                data = orjson.dumps(body)
                headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
            async with session.post(f"{url}{path}", data=data, headers=headers) as answer:
                text = await answer.read()
                if answer.status != wanted:
                    raise TerminalError(f"{answer.status} {text[:200]!r}", where=f"POST {path}")
                return text

        yield post
