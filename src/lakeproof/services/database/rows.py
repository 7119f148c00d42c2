"""Rows of the shop's PostgreSQL, by the account that only reads."""

from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.services.database.errors import DatabaseTrouble, Duplicate, SaidNo
from lakeproof.services.database.postgres import CONNECT_SECONDS, Connection, connector
from lakeproof.stack.engines.postgres_accounts import DATABASE
from lakeproof.stack.stack import Stack

READ_SECONDS = 30.0


async def rows_of(stack: Stack, service: str, statement: str, *args: object) -> list[Any]:
    """The rows of one statement in that service's schema. Raises: CouldNotLook."""
    host, port = stack.host_port("postgres")
    connect = connector(
        host,
        port,
        stack.account("postgres-reader", "reader"),
        stack.secret("postgres-reader"),
        DATABASE,
        connect_seconds=CONNECT_SECONDS,
        statement_seconds=READ_SECONDS,
        schema=service,
    )
    try:
        connection: Connection = await connect()
        try:
            return list(await connection.fetch(statement, *args))
        finally:
            connection.close()
    except (DatabaseTrouble, Duplicate, SaidNo) as error:
        raise CouldNotLook(f"no answer: {error}", where="postgres") from error
