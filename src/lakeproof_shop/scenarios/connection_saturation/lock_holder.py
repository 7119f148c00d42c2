"""What holds the lock of the fault held_lock, and who waits for it:
`python -m lakeproof_shop.scenarios.connection_saturation.lock_holder SERVER TABLE PERCENT`.

One session of the administrator locks the table. Further sessions, of the account for reports, ask for the table, one
after another, as a client without a pool does. Whenever fewer than PERCENT of the server's sessions are taken, more
come. The process ends with the session that holds the lock, whoever ended that.
"""

import contextlib
import sys
import threading
import time
from collections.abc import Mapping

from lakeproof.errors import CouldNotLook
from lakeproof.processes.detached import detach
from lakeproof.stack.database_sessions import ENGINES, Server, sessions
from lakeproof.stack.stack import Stack, load_stack

# The account for people who make reports by hand; no part of the stack uses it.
ACCOUNT = "report"
# The database that the sessions log in to, and in it a table that each purchase writes.
DATABASES: Mapping[Server, str] = {"mysql": "oltp", "postgres": "shop"}
TABLES: Mapping[Server, str] = {"mysql": "oltp.orders", "postgres": "payment.payments"}
LOCKS: Mapping[Server, tuple[str, ...]] = {
    "mysql": ("LOCK TABLES {table} WRITE",),
    "postgres": ("BEGIN", "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
}
# The lock ends with the fault, and after this time at the latest.
HELD_SECONDS = 24 * 3600.0
COUNT_SECONDS = 5.0
PAUSE_SECONDS = 0.5


def hold(stack: Stack, server: Server, table: str, percent: float) -> None:
    """Lock the table and let others wait for it; returns once the session with the lock has ended."""
    engine = ENGINES[server]
    session = engine.session(stack, *engine.ADMINISTRATOR, HELD_SECONDS, DATABASES[server])
    with contextlib.suppress(CouldNotLook), session as ask:
        for statement in LOCKS[server]:
            ask(statement.format(table=table))
        waiting: list[threading.Thread] = []
        while True:
            waiting = [thread for thread in waiting if thread.is_alive()]
            for _ in range(_places_left(stack, server, percent, len(waiting))):
                thread = threading.Thread(target=_wait_for, args=(stack, server, table), daemon=True)
                thread.start()
                waiting.append(thread)
            time.sleep(PAUSE_SECONDS)
            ask("SELECT 1")  # raises where the session was ended


def _places_left(stack: Stack, server: Server, percent: float, asking: int) -> int:
    """How many sessions are missing to that percentage; 0 where the server does not say.

    asking: how many threads have a session, or are about to log in.
    """
    try:
        seen = sessions(stack, server, COUNT_SECONDS)
    except CouldNotLook:
        return 0
    held = seen.by_account.get(ACCOUNT)
    logging_in = asking - (held.sessions if held else 0)
    return max(0, round(seen.most * percent / 100) - seen.total - max(0, logging_in))


def _wait_for(stack: Stack, server: Server, table: str) -> None:
    """Ask for the table's rows in a session of its own, and close it once they have come."""
    with contextlib.suppress(CouldNotLook):
        read(stack, server, table, HELD_SECONDS)


def read(stack: Stack, server: Server, table: str, seconds: float) -> None:
    """Count the table's rows by the account for reports. Raises: CouldNotLook, also where there is no such table."""
    secret = f"{server}-{ACCOUNT}"
    with ENGINES[server].session(stack, ACCOUNT, secret, seconds, DATABASES[server]) as ask:
        ask(f"SELECT count(*) FROM {table}")


if __name__ == "__main__":
    stack_of_caller = load_stack()
    detach()
    server_of_caller: Server = "mysql" if sys.argv[1] == "mysql" else "postgres"
    hold(stack_of_caller, server_of_caller, sys.argv[2], float(sys.argv[3]))
