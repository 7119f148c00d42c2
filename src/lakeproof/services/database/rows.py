"""Rows of the shop's PostgreSQL, by the account that only reads."""

from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.stack import Stack

READ_SECONDS = 30.0


def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
    """The rows of one statement in that service's schema. Blocks. Raises: CouldNotLook."""
    from lakeproof.stack.postgres_session import TROUBLES, select

    limits: dict[str, Any] = {"seconds": READ_SECONDS, "database": DATABASE, "schema": service}
    try:
        return select(stack, "reader", "postgres-reader", statement, *args, **limits)
    except TROUBLES as error:
        raise CouldNotLook(f"no answer: {error}", where="postgres") from error
