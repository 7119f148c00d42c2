"""Slow roads: proxies (slow_road.py) between one client and one server, found by their environment after a crash."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

from lakeproof.processes import procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.environment import RUN_ID
from lakeproof.stack.stack import Stack

# The variables in a proxy's environment: the stack's folder with the road's name, and the proxy's URL.
ROAD, ROAD_URL = "LAKEPROOF_SLOW_ROAD", "LAKEPROOF_SLOW_ROAD_URL"


def find_roads(stack: Stack, name: str) -> dict[int, str]:
    """The proxies of that road: pid → URL."""
    mark, found = f"{stack.state_dir} {name}", {}
    for pid, stat in procfs.read_table().items():
        environment = procfs.read_environment(pid) if procfs.runs(stat) else {}
        if environment.get(ROAD) == mark:
            found[pid] = environment[ROAD_URL]
    return found


def end_roads(pids: Iterable[int]) -> None:
    """Kill these proxies; fine where one has ended by itself."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def listen() -> socket.socket:
    """A socket to hand over to a proxy, so that its address can be noted before the proxy runs."""
    return socket.create_server(("127.0.0.1", 0))


def url_of(listening: socket.socket) -> str:
    """The URL of that socket."""
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


def build_road(
    stack: Stack, name: str, listening: socket.socket, to: tuple[str, int], seconds: float, client: str
) -> None:
    """Start a proxy to that server, which holds each request back for `seconds`. `lakeproof down` ends the proxy too,
    by the run id of the stack's processes, which is read from the component `client`.
    """
    pid = SupervisorClient(stack).row(client).pid
    run = procfs.read_environment(pid).get(RUN_ID, "") if pid is not None else ""
    subprocess.run(
        [
            *(sys.executable, "-m", "lakeproof.faults.slow_road"),
            *(str(listening.fileno()), to[0], str(to[1]), str(seconds)),
        ],
        env=os.environ
        | {ROAD: f"{stack.state_dir} {name}", ROAD_URL: url_of(listening)}
        | ({RUN_ID: run} if run else {}),
        pass_fds=(listening.fileno(),),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=True,
    )
