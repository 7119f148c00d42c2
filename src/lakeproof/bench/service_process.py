"""A service of the shop on a benchmark's own database, as a process of its own."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError


@contextlib.contextmanager
def service_process(module: str, database: str, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`python -m lakeproof.bench.MODULE DATABASE PORT`, healthy: its address and process, ended afterwards.

    Raises: TerminalError with the last words of one that ended.
    """
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"lakeproof.bench.{module}", database, str(port)],
            stdout=subprocess.DEVNULL,
            stderr=output,
        )
    try:

        def healthy() -> bool | None:
            if process.poll() is not None:
                raise TerminalError(f"ended: {log.read_text()[-500:]}", where=f"{module} of the benchmark")
            try:
                return True if httpx.get(f"{url}/health", timeout=2.0).status_code == 200 else None
            except httpx.HTTPError:
                return None

        Deadline(30.0).wait_for(f"{module} of the benchmark", healthy, every=0.1)
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(15.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
