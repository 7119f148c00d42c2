"""The database account that change capture logs in with: its password, its privileges, its connections.

Statements run as root with the binlog off: accounts are no business of the binlog's readers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymysql

from lakeproof.errors import NotReady
from lakeproof.stack.engines import mysql_accounts
from lakeproof.stack.engines.mysql import connect
from lakeproof.stack.stack import Stack

ASK_SECONDS = 5.0
NO_SUCH_THREAD = 1094
ACCESS_DENIED = 1045


@contextmanager
def _as_root(stack: Stack) -> Iterator[Any]:
    try:
        with connect(stack, "root", "mysql-root", ASK_SECONDS) as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION sql_log_bin = 0")
            yield cursor
    except pymysql.MySQLError as error:
        raise NotReady(f"{type(error).__name__} {error.args}", where="mysql", next_action="lakeproof ps") from error


def accepts(stack: Stack, user: str) -> bool:
    """Does the account take the password that this stack has for it? Raises: NotReady."""
    try:
        with connect(stack, user, f"mysql-{user}", ASK_SECONDS):
            return True
    except pymysql.MySQLError as error:
        if error.args and error.args[0] == ACCESS_DENIED:
            return False
        raise NotReady(f"{type(error).__name__} {error.args}", where="mysql", next_action="lakeproof ps") from error


def set_password(stack: Stack, user: str, password: str) -> None:
    """Give the account that password. Raises: NotReady."""
    with _as_root(stack) as cursor:
        # The host is "%": as a parameter, since the text of a statement with parameters is a format.
        cursor.execute("ALTER USER %s@%s IDENTIFIED BY %s", (user, mysql_accounts.HOST, password))


def grant(stack: Stack, user: str) -> None:
    """Give the account every privilege that it is meant to have. Raises: NotReady."""
    with _as_root(stack) as cursor:
        for account in mysql_accounts.ACCOUNTS:
            if account.user == user:
                for privileges, scope in account.grants:
                    cursor.execute(f"GRANT {privileges} ON {scope} TO '{user}'@'{mysql_accounts.HOST}'")


def holds(stack: Stack, user: str, privilege: str) -> bool:
    """Does the account have that global privilege? Raises: NotReady."""
    with _as_root(stack) as cursor:
        cursor.execute(
            "SELECT 1 FROM information_schema.user_privileges WHERE grantee = %s AND privilege_type = %s",
            (f"'{user}'@'{mysql_accounts.HOST}'", privilege),
        )
        return cursor.fetchone() is not None


def revoke(stack: Stack, user: str, privilege: str) -> None:
    """Take one global privilege away; fine where it is not there. Raises: NotReady."""
    with _as_root(stack) as cursor:
        cursor.execute(f"REVOKE {privilege} ON *.* FROM '{user}'@'{mysql_accounts.HOST}'")


def end_connections(stack: Stack, user: str) -> int:
    """Kill the account's connections; gives how many. Raises: NotReady."""
    with _as_root(stack) as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE user = %s", (user,))
        found = [int(row[0]) for row in cursor.fetchall()]
        for thread in found:
            try:
                cursor.execute(f"KILL CONNECTION {thread}")
            except pymysql.MySQLError as error:
                # It ended by itself between the two statements.
                if error.args[0] != NO_SUCH_THREAD:
                    raise
        return len(found)
