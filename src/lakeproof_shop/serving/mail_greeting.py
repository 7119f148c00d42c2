"""Does a mail server answer? It greets with 220."""

import asyncio


async def greeting_problem(host: str, port: int) -> str:
    """For /health: "" or what is wrong with the mail server there."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            greeting = await reader.readline()
            writer.write(b"QUIT\r\n")
        finally:
            writer.close()
    except OSError as error:
        return f"no answer: {error.strerror or type(error).__name__}"
    return "" if greeting.startswith(b"220") else f"greets with {greeting[:50]!r}"
