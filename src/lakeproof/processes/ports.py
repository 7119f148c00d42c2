"""Checks before anything starts whether the ports are free, and finds the process that holds a taken one."""

import contextlib
import errno
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path

from lakeproof.errors import PortTaken, TerminalError
from lakeproof.processes import procfs
from lakeproof.processes.environment import RUN_ID
from lakeproof.stack.component import Component
from lakeproof.stack.stack import Stack

# Where the supervisor serves /metrics, and there the path of its further processes' scrape targets (metrics.py).
METRICS_PORT = 9256
REPLICAS_PATH = "/replicas"
LISTEN = "0A"  # the state in /proc/net/tcp


def ports_of(component: Component, stack: Stack) -> dict[str, int]:
    """The component's ports by kind, with this stack's port_shift added."""
    return {kind: port + stack.settings.port_shift for kind, port in component.ports.items()}


def is_free(host: str, port: int) -> bool:
    """True when a server could listen there now (SO_REUSEADDR: left-overs of closed connections do not matter)."""
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
        except OverflowError:
            raise TerminalError(
                f"port {port} is above 65535", where="settings", next_action="choose a smaller port_shift"
            ) from None
    return True


def socket_inodes(port: int, table: str) -> dict[str, bool]:
    """The sockets of that local port in the text of /proc/net/tcp: inode → True where the socket listens."""
    found: dict[str, bool] = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and int(fields[1].rpartition(":")[2], 16) == port:
            found[fields[9]] = fields[3] == LISTEN
    return found


def pid_of_port(port: int) -> int | None:
    """The process that listens on the port, else one that uses it as the near end of a connection, else None.

    One pass over /proc/*/fd looks for the few inodes of this port: psutil's list of all connections takes a second on
    a machine with thousands of closed connections.
    """
    inodes: dict[str, bool] = {}
    for name in ("tcp", "tcp6"):
        try:
            inodes |= socket_inodes(port, Path(f"/proc/net/{name}").read_text())
        except OSError:
            continue
    wanted = {f"socket:[{inode}]": listens for inode, listens in inodes.items() if inode != "0"}
    other: int | None = None
    for pid in procfs.read_table() if wanted else ():
        held = _open_files(pid) & wanted.keys()
        if any(wanted[link] for link in held):
            return pid
        if held:
            other = pid
    return other


def _open_files(pid: int) -> set[str]:
    """The targets of a process's descriptors; none where the process is gone or another user's."""
    links: set[str] = set()
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile, such as the descriptor of this listing itself
                links.add(str(entry.readlink()))
    return links


def holder_of(port: int) -> str:
    """Who holds the port, for people: "a Lakeproof stack NAME from DIR (…)", or pid and command."""
    pid = pid_of_port(port)
    if pid is None:
        return "a process that cannot be seen (another user's, or a connection that is closing)"
    command = f"pid {pid}: {procfs.command_line(pid)}"
    environment = procfs.read_environment(pid)
    if RUN_ID in environment:
        name, folder = environment.get("LAKEPROOF_NAME", "?"), environment.get("LAKEPROOF_STATE_DIR", "?")
        return f"a Lakeproof stack {name} from {folder} ({command})"
    return command


def check_free(components: Iterable[Component], stack: Stack, *, supervisor: bool) -> None:
    """Check every port of the components; `supervisor`: the supervisor's own metrics port too.

    Raises: PortTaken for the first port that is taken.
    """
    wanted: list[tuple[str, Mapping[str, int]]] = [(one.name, ports_of(one, stack)) for one in components]
    if supervisor:
        wanted.insert(0, ("supervisor", {"http": METRICS_PORT + stack.settings.port_shift}))
    for name, ports in wanted:
        for port in ports.values():
            if not is_free(stack.settings.host, port):
                raise PortTaken(port, name, holder_of(port))
