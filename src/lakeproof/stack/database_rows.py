"""Reads rows of the stack's PostgreSQL and MariaDB, with the account that may only read."""

from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines import mysql
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.stack import Stack

READ_SECONDS = 30.0


def mysql_rows(stack: Stack, statement: str, args: object = None, *, seconds: float = READ_SECONDS) -> list[Any]:
    """The rows of one statement in MariaDB, within `seconds`. Blocks. Raises: CouldNotLook."""
    import pymysql

    try:
        with mysql.connect(stack, "reader", "mysql-reader", seconds) as connection, connection.cursor() as cursor:
            cursor.execute(statement, args)
            return list(cursor.fetchall())
    except pymysql.MySQLError as error:
        raise CouldNotLook(f"no answer: {type(error).__name__} {error.args}", where="mysql") from error


def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
    """The rows of one statement in that service's schema. Blocks. Raises: CouldNotLook."""
    return read_rows(stack, statement, *args, schema=service)


def read_rows(
    stack: Stack,
    statement: str,
    *args: object,
    seconds: float = READ_SECONDS,
    database: str = DATABASE,
    schema: str | None = None,
) -> list[Any]:
    """The rows of one statement in PostgreSQL, within `seconds`. Blocks. Raises: CouldNotLook."""
    from lakeproof.stack.postgres_session import TROUBLES, select

    limits: dict[str, Any] = {"seconds": seconds, "database": database, "schema": schema}
    try:
        return select(stack, "reader", "postgres-reader", statement, *args, **limits)
    except TROUBLES as error:
        said = " ".join(f"{type(error).__name__} {error}".split())  # psycopg's messages have several lines
        raise CouldNotLook(f"no answer: {said}", where="postgres") from error
