"""A TCP proxy in a thread that hands on each piece of what a server answers a while later."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def slow_proxy(host: str, port: int, seconds: float) -> Iterator[int]:
    """The proxy's port. `seconds`: before the first byte of each answer goes back."""
    started = threading.Event()
    loop = asyncio.new_event_loop()
    own_port = 0
    servers: list[asyncio.Server] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(host, port)

        async def answers() -> None:
            while data := await their_reader.read(65536):
                await asyncio.sleep(seconds)
                writer.write(data)
            writer.close()

        back = asyncio.create_task(answers())
        try:
            while data := await reader.read(65536):
                their_writer.write(data)
        except OSError:
            pass
        finally:
            their_writer.close()
            await asyncio.wait([back], timeout=5)

    async def serve() -> None:
        nonlocal own_port
        server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        servers.append(server)
        own_port = server.sockets[0].getsockname()[1]
        started.set()

    def run() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()
        for server in servers:
            server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.05))  # each closes its sockets
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert started.wait(10)
        yield own_port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
