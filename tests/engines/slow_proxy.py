"""A TCP proxy, as a process of its own, that hands on each piece of what a server answers a while later."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def slow_proxy(host: str, port: int, seconds: float) -> Iterator[int]:
    """The proxy's port. `seconds`: before each piece of an answer goes back."""
    process = subprocess.Popen(
        [sys.executable, __file__, host, str(port), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def _serve(host: str, port: int, seconds: float) -> None:
    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(host, port)

        async def answers() -> None:
            while data := await their_reader.read(65536):
                await asyncio.sleep(seconds)
                writer.write(data)
            writer.close()

        back = asyncio.create_task(answers())
        while data := await reader.read(65536):
            their_writer.write(data)
        their_writer.close()
        await back

    server = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
