"""A TCP proxy, as a process of its own, that hands on each piece of what a server answers a while later."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def slow_proxy(host: str, port: int, seconds: float) -> Iterator[int]:
    """The proxy's port. `seconds`: before each piece of an answer goes back."""
    with _proxy(host, port, seconds, "at once") as (process, own_port):
        assert process.poll() is None
        yield own_port


@contextmanager
def proxy_that_slows_down(host: str, port: int, seconds: float) -> Iterator[tuple[int, Callable[[], None]]]:
    """The proxy's port, and what makes it slow; until then it hands on at once."""
    with _proxy(host, port, seconds, "later") as (process, own_port):
        yield own_port, lambda: process.send_signal(signal.SIGUSR1)


@contextmanager
def _proxy(host: str, port: int, seconds: float, since: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, __file__, host, str(port), str(seconds), since], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


async def _serve(host: str, port: int, seconds: float, since: str) -> None:
    delay = seconds if since == "at once" else 0.0

    def slow_down() -> None:
        nonlocal delay
        delay = seconds

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, slow_down)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        their_reader, their_writer = await asyncio.open_connection(host, port)

        async def answers() -> None:
            while data := await their_reader.read(65536):
                await asyncio.sleep(delay)
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
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
