"""Rows of the stack's PostgreSQL, by the account that only reads."""

from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.stack import Stack

READ_SECONDS = 30.0


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
    """The rows of one statement, within so many seconds. Blocks. Raises: CouldNotLook."""
    from lakeproof.stack.postgres_session import TROUBLES, select

    limits: dict[str, Any] = {"seconds": seconds, "database": database, "schema": schema}
    try:
        return select(stack, "reader", "postgres-reader", statement, *args, **limits)
    except TROUBLES as error:
        said = " ".join(f"{type(error).__name__} {error}".split())  # psycopg's words are several lines
        raise CouldNotLook(f"no answer: {said}", where="postgres") from error
