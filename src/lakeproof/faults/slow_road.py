"""A TCP proxy, as a process of its own, that holds each request back for a while before it goes on.

A request begins with the first piece after an answer; its further pieces go on at once.

Toxiproxy does the same and much more; it would have to be built by Go before a drill could use it. The process ends
by itself after LIFE_SECONDS, even if the process that started it is gone.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator

LIFE_SECONDS = 3600.0
PIECE_BYTES = 65_536


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while piece := await reader.read(PIECE_BYTES):
        yield piece


async def _serve(listening: socket.socket, host: str, port: int, seconds: float) -> None:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered = True
        with contextlib.suppress(OSError), contextlib.closing(writer):
            their_reader, their_writer = await asyncio.open_connection(host, port)

            async def answer() -> None:
                nonlocal answered
                with contextlib.suppress(OSError), contextlib.closing(writer):
                    async for piece in _pieces(their_reader):
                        answered = True
                        writer.write(piece)

            back = asyncio.create_task(answer())
            with contextlib.closing(their_writer):
                async for piece in _pieces(reader):
                    if answered:
                        answered = False
                        await asyncio.sleep(seconds)
                    their_writer.write(piece)
            await back

    await asyncio.start_server(pass_on, sock=listening)
    await asyncio.sleep(LIFE_SECONDS)


if __name__ == "__main__":
    descriptor, to_host, to_port, late = sys.argv[1:]
    if os.fork() != 0:  # the caller waits for this first process, and never for the proxy
        os._exit(0)
    asyncio.run(_serve(socket.socket(fileno=int(descriptor)), to_host, int(to_port), float(late)))
