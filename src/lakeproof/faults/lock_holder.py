"""What faults/held_lock.py starts: `python -m lakeproof.faults.lock_holder`.

The administrator's session locks every order within a transaction that is never ended. Beside it a report is asked
for again and again, each in a session of its own; it waits for the first order. Once the lock is gone, each has its
answer at once, and its session ends. The lock is not taken again: a person took it.
"""

import threading
import time
from typing import TYPE_CHECKING

import pymysql

from lakeproof.processes.detached import detach
from lakeproof.stack.database_sessions import ADMINISTRATORS
from lakeproof.stack.engines import mysql
from lakeproof.stack.engines.mysql_accounts import REPORT
from lakeproof.stack.stack import Stack, load_stack

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

LOCK = "SELECT id FROM oltp.orders FORCE INDEX (PRIMARY) FOR UPDATE"
REPORT_SQL = "SELECT id FROM oltp.orders ORDER BY id LIMIT 1 LOCK IN SHARE MODE"
# Longer than MariaDB lets a statement wait for a lock (50 s), after which it answers by itself.
ANSWER_SECONDS = 60.0
PAUSE_SECONDS = 0.04
TRIES = 5
# More than the server lets in.
MOST = 300
# A server that is gone for so long has been taken down, and all this ends with it.
GONE_SECONDS = 120.0


class Reports:
    """Sessions that ask, each in a thread. answered: when one of them was let in, last."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.answered = time.monotonic()

    def ask(self) -> None:
        """One report."""
        try:
            with mysql.connect(self._stack, REPORT, f"mysql-{REPORT}", ANSWER_SECONDS) as connection:
                self.answered = time.monotonic()
                with connection.cursor() as cursor:
                    cursor.execute(REPORT_SQL)
        except (pymysql.MySQLError, OSError) as error:
            if error.args and error.args[0] == mysql.TOO_MANY:
                self.answered = time.monotonic()


def hold(stack: Stack) -> "Connection[Cursor]":
    """The session that locks all orders. A deadlock with a shopper's call may end its statement, so it tries again.

    Raises: pymysql errors.
    """
    connection = mysql.connect(stack, *ADMINISTRATORS["mysql"], ANSWER_SECONDS)
    with connection.cursor() as cursor:
        for tries_left in reversed(range(TRIES)):
            try:
                cursor.execute("START TRANSACTION")
                cursor.execute(LOCK)
                break
            except pymysql.err.OperationalError:
                if not tries_left:
                    raise
    return connection


def jam(stack: Stack) -> None:
    """Ask for reports; returns once the server is gone for good."""
    reports = Reports(stack)
    while time.monotonic() - reports.answered < GONE_SECONDS:
        if threading.active_count() < MOST:
            threading.Thread(target=reports.ask, daemon=True).start()
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    stack_of_caller = load_stack()
    detach()
    held = hold(stack_of_caller)
    jam(stack_of_caller)
