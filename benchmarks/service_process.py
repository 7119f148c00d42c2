"""A process of a benchmark's own that answers HTTP: a service of the shop, or who stands for others."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import httpx
import psutil

from benchmarks import CLONE
from lakeproof.deadline import Deadline
from lakeproof.errors import TerminalError
from lakeproof.install.program import die_with_us
from lakeproof.processes.environment import importing_from


@contextlib.contextmanager
def service_process(name: str, place: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run the service `name` on the data at `place` (service_server.py); gives its URL and process once healthy. The
    service ends with the block, and with this process however that ends.

    Raises: TerminalError with the end of its stderr where it ended too early; DeadlineExpired.
    """
    with process_of("service_server", name, place) as found:
        yield found


@contextlib.contextmanager
def process_of(module: str, *args: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run `python -m benchmarks.MODULE ARGS PORT`, as `service_process` does."""
    port, what = free_port(), f"{module} of the benchmark"
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*die_with_us(), sys.executable, "-m", f"benchmarks.{module}", *args, str(port)],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=importing_from(CLONE, os.environ),
        )
        try:

            def healthy() -> bool | None:
                if process.poll() is not None:
                    log.seek(0)
                    raise TerminalError(f"ended: {log.read()[-500:].decode(errors='replace')}", where=what)
                try:
                    return True if httpx.get(f"{url}/health", timeout=2.0).status_code == 200 else None
                except httpx.HTTPError:
                    return None

            Deadline(30.0).wait_for(what, healthy, every=0.1)
            yield url, psutil.Process(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(15.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A TCP port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
