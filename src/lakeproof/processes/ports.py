"""Looking, before anything starts, whether the ports are free, and who holds one that is not."""

import errno
import socket
from collections.abc import Iterable, Mapping

import psutil

from lakeproof.errors import PortTaken, TerminalError
from lakeproof.processes import procfs
from lakeproof.processes.environment import RUN_ID
from lakeproof.stack.component import Component
from lakeproof.stack.stack import Stack

METRICS_PORT = 9256


def ports_of(component: Component, stack: Stack) -> dict[str, int]:
    """Kind → port as shifted in this stack."""
    return {kind: port + stack.settings.port_shift for kind, port in component.ports.items()}


def is_free(host: str, port: int) -> bool:
    """True when a server could listen there now (as servers do, over the rests of closed connections)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise TerminalError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                where="settings",
                next_action="correct host or port_shift",
            ) from error
    return True


def holder_of(port: int) -> str:
    """Who listens on the port, for people: "a Lakeproof stack NAME from DIR (…)", or pid and command."""
    pids = {
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
    }
    pid = next((pid for pid in sorted(pid for pid in pids if pid)), None)
    if pid is None:
        listening = bool(pids)
        return "a process of another user" if listening else "a process that cannot be seen, or a closing connection"
    command = f"pid {pid}: {procfs.command_line(pid)}"
    environment = procfs.read_environment(pid)
    if RUN_ID in environment:
        name, folder = environment.get("LAKEPROOF_NAME", "?"), environment.get("LAKEPROOF_STATE_DIR", "?")
        return f"a Lakeproof stack {name} from {folder} ({command})"
    return command


def check_free(components: Iterable[Component], stack: Stack, *, supervisor: bool) -> None:
    """Look at every port of the components (and the supervisor's own metrics port, when asked).

    Raises: PortTaken for the first that is taken.
    """
    wanted: list[tuple[str, Mapping[str, int]]] = [(one.name, ports_of(one, stack)) for one in components]
    if supervisor:
        wanted.insert(0, ("supervisor", {"http": METRICS_PORT + stack.settings.port_shift}))
    for name, ports in wanted:
        for port in ports.values():
            if not is_free(stack.settings.host, port):
                raise PortTaken(port, name, holder_of(port))
