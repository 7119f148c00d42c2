"""What leaks the sessions of faults/leaked_sessions.py: `python -m lakeproof.faults.session_leak ACCOUNT`.

It opens sessions and never closes one. Where the server has none left it tries again and again, as a client without a
pool does; so it takes whatever becomes free, and comes back after its sessions were ended.
"""

import select
import sys
import time
from typing import TYPE_CHECKING, Any

import pymysql

from lakeproof.processes.detached import detach
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack, load_stack

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

OPEN_SECONDS = 3.0
PAUSE_SECONDS = 0.2
# A server that is gone for so long has been taken down, and the leak ends with it.
GONE_SECONDS = 120.0
# The client library's own numbers begin here: no answer came.
CLIENT_ERRORS = 2000
# Far above what any test server lets in, and below the files that a process may have open.
MOST = 900


def leak(stack: Stack, account: str) -> None:
    """Hold all sessions that there are; returns once the server is gone for good."""
    held: list[Connection[Cursor]] = []
    answered = time.monotonic()
    while time.monotonic() - answered < GONE_SECONDS:
        try:
            if len(held) < MOST:
                held.append(mysql.connect(stack, account, f"mysql-{account}", OPEN_SECONDS))
                answered = time.monotonic()
                continue
        except pymysql.MySQLError as error:
            if error.args and isinstance(error.args[0], int) and error.args[0] < CLIENT_ERRORS:
                answered = time.monotonic()
        except OSError:
            pass
        time.sleep(PAUSE_SECONDS)
        held = _living(held)


def _living(held: "list[Connection[Cursor]]") -> "list[Connection[Cursor]]":
    """Those whose socket has nothing to say: a server speaks to an idle client only to end the session."""
    poll = select.poll()
    by_file: dict[int, Connection[Cursor]] = {}
    sockets: dict[int, Any] = {}
    for connection in held:
        socket = vars(connection)["_sock"]
        by_file[socket.fileno()], sockets[socket.fileno()] = connection, socket
        poll.register(socket, select.POLLIN)
    for file, _ in poll.poll(0):
        by_file.pop(file)
        sockets[file].close()
    return list(by_file.values())


if __name__ == "__main__":
    stack_of_caller = load_stack()
    detach()
    leak(stack_of_caller, sys.argv[1])
