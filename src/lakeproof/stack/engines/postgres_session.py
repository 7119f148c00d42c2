"""Connections to PostgreSQL by one of its accounts, each bounded in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from lakeproof.stack.engines.postgres_config import NAME
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    import asyncpg

# How long DDL waits for a table that others use.
LOCK_SECONDS = 10
ROOT_USER, ROOT_SECRET = "postgres", "postgres-root"


@asynccontextmanager
async def connection(
    stack: Stack,
    user: str,
    secret: str,
    seconds: float,
    database: str = "postgres",
    schema: str | None = None,
    lock_seconds: int | None = None,
) -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A connection of one of the accounts, autocommit; the whole block within `seconds`, then TimeoutError.

    schema: where plain names are looked for; None: as the account has it. lock_seconds: how long it waits for a lock.
    Raises: asyncpg's errors, OSError.
    """
    import asyncpg

    host, port = stack.host_port(NAME, "tcp")
    options = {"search_path": schema} if schema else {}
    if lock_seconds is not None:
        options["lock_timeout"] = f"{lock_seconds}s"
    async with asyncio.timeout(seconds):
        opened = await asyncpg.connect(
            host=host,
            port=port,
            user=stack.account(secret, user),
            password=stack.secret(secret),
            database=database,
            ssl=False,
            server_settings=options or None,
        )
        try:
            yield opened
        finally:
            opened.terminate()  # a goodbye could hang


def select(
    stack: Stack,
    user: str,
    secret: str,
    sql: str,
    *args: object,
    seconds: float = 10.0,
    database: str = "postgres",
    schema: str | None = None,
    lock_seconds: int | None = None,
) -> list[tuple[Any, ...]]:
    """The rows of one statement, for whoever is no coroutine. Raises: asyncpg's errors, OSError."""

    async def ask() -> list[tuple[Any, ...]]:
        async with connection(stack, user, secret, seconds, database, schema, lock_seconds) as opened:
            return [tuple(row) for row in await opened.fetch(sql, *args)]

    return asyncio.run(ask())
