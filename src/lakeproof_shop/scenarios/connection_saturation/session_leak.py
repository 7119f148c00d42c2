"""What leaks the sessions of the fault leaked_sessions:
`python -m lakeproof_shop.scenarios.connection_saturation.session_leak SERVER ACCOUNT MOST`.

It opens up to MOST sessions and never closes one. Where the server has none left, the process tries again and again,
as a client without a pool does. So it takes whatever becomes free, and comes back after its sessions were ended.
"""

import select
import sys
import time
from dataclasses import dataclass
from typing import Any

import psycopg
import pymysql

from lakeproof.processes.detached import detach
from lakeproof.stack import postgres_session
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack, load_stack

OPEN_SECONDS = 3.0
PAUSE_SECONDS = 0.2
# A server that has been gone for this long was taken down, and the leak ends with it.
GONE_SECONDS = 120.0


@dataclass(frozen=True)
class Held:
    """An open session. socket: has `fileno`, and its `close` cuts the connection without a goodbye."""

    connection: object
    socket: Any


def leak(stack: Stack, server: str, account: str, most: int) -> None:
    """Hold all sessions that there are, at most `most`; returns once the server is gone for good."""
    held: list[Held] = []
    answered = time.monotonic()
    while time.monotonic() - answered < GONE_SECONDS:
        try:
            if len(held) < most:
                held.append(_open(stack, server, account))
                answered = time.monotonic()
                continue
        except (pymysql.MySQLError, psycopg.Error) as error:
            if _is_answer(error):
                answered = time.monotonic()
        except OSError:
            pass
        time.sleep(PAUSE_SECONDS)
        held = _living(held)
        if len(held) == most:
            answered = time.monotonic()  # nothing is asked, and the server has ended no session


def _open(stack: Stack, server: str, account: str) -> Held:
    secret = f"{server}-{account}"
    if server == "postgres":
        session = postgres_session.connect(stack, account, secret, OPEN_SECONDS)
        return Held(session, session)
    connection = mysql.connect(stack, account, secret, OPEN_SECONDS)
    return Held(connection, vars(connection)["_sock"])


def _is_answer(error: Exception) -> bool:
    """True where the server itself said no."""
    if isinstance(error, psycopg.Error):
        return error.sqlstate is not None
    return bool(error.args) and isinstance(error.args[0], int) and error.args[0] < mysql.CLIENT_ERRORS


def _living(held: list[Held]) -> list[Held]:
    """The sessions whose socket has nothing to say: a server speaks to an idle client only to end the session."""
    poll = select.poll()
    by_file: dict[int, Held] = {}
    for each in held:
        by_file[each.socket.fileno()] = each
        poll.register(each.socket, select.POLLIN)
    for file, _ in poll.poll(0):
        by_file.pop(file).socket.close()
    return list(by_file.values())


if __name__ == "__main__":
    stack_of_caller = load_stack()
    detach()
    leak(stack_of_caller, sys.argv[1], sys.argv[2], int(sys.argv[3]))
