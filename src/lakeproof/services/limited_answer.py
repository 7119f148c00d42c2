"""Reading what another service answers, and never more of it than an answer may have, whatever it sends."""

from collections.abc import AsyncIterable

MAX_ANSWER_BYTES = 4 * 1024 * 1024


class AnswerTooLong(Exception):
    """It has more bytes than an answer may have; what was read is thrown away."""


async def read_at_most(chunks: AsyncIterable[bytes], max_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """The whole body, from the client's iterator over it. Raises: AnswerTooLong, and what the iterator raises.

    The caller leaves the client's `async with` then, which closes the connection: the rest is not read.
    """
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise AnswerTooLong(f"its answer has more than {max_bytes} bytes")
    return bytes(body)
