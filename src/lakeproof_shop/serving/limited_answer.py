"""Reads the answer of another service, and never more bytes of it than an answer may have."""

from collections.abc import AsyncIterable

MAX_ANSWER_BYTES = 4 * 1024 * 1024


class AnswerTooLong(Exception):
    """The answer has more bytes than an answer may have; the bytes that were read are dropped."""


async def read_at_most(chunks: AsyncIterable[bytes], max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """The whole body, from the client's iterator over it. Raises: AnswerTooLong, and what the iterator raises.

    The caller then leaves the client's `async with`, which closes the connection: the rest is not read.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise AnswerTooLong(f"its answer has more than {max_bytes} bytes")
    return bytes(body)
