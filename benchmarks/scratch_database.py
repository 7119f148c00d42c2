"""A database of a benchmark's own in the stack's MariaDB: the shop's tables, not captured, not checked."""

import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator

from lakeproof.provisioning.mysql import schema_statements
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack
from lakeproof_shop.serving.database.mysql import Connection, connector

NAME = "lakeproof_bench"


@contextlib.contextmanager
def scratch_database(stack: Stack) -> Iterator[str]:
    """An empty database with the shop's tables, dropped after the block. One left by a killed run is replaced."""
    _execute(stack, f"DROP DATABASE IF EXISTS {NAME}", *(moved(one) for one in schema_statements()))
    try:
        yield NAME
    finally:
        _execute(stack, f"DROP DATABASE IF EXISTS {NAME}")


def _execute(stack: Stack, *statements: str) -> None:
    # A new connection for each call: one that stays idle during a long run may be closed at the run's end.
    with mysql.connect(stack, "root", "mysql-root", 30.0) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def moved(statement: str) -> str:
    """A statement of the shop's schema, for the benchmark's database instead of `oltp`."""
    return re.sub(r"\boltp\b", NAME, statement)


def connect_to(stack: Stack, database: str) -> Callable[[], Awaitable[Connection]]:
    """Opens connections as the order service does, but as root: its own user has no rights here."""
    host, port = stack.host_port("mysql", "tcp")
    return connector(
        host,
        port,
        "root",
        stack.secret("mysql-root"),
        database,
        connect_seconds=5.0,
        statement_seconds=stack.settings.shop.request_seconds,
    )
