"""PostgreSQL's errors by what they mean, without PostgreSQL."""

import asyncpg
import pytest

from lakeproof.deadline import Deadline
from lakeproof_shop.serving.database.errors import Conflict, DatabaseDown, DatabaseRefused, Duplicate
from lakeproof_shop.serving.database.pool import ConnectionPool
from lakeproof_shop.serving.database.postgres import connector, named


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (asyncpg.AdminShutdownError("ends"), DatabaseDown),
        (asyncpg.CannotConnectNowError("starts"), DatabaseDown),
        (asyncpg.TooManyConnectionsError("full"), DatabaseDown),
        (asyncpg.QueryCanceledError("too slow"), DatabaseDown),
        (asyncpg.ConnectionDoesNotExistError("gone"), DatabaseDown),
        (asyncpg.IdleInTransactionSessionTimeoutError("silent"), DatabaseDown),
        (asyncpg.InterfaceError("closed"), DatabaseDown),
        (asyncpg.InvalidCachedStatementError("changed"), DatabaseDown),
        (asyncpg.InternalClientError("in the middle of an answer"), DatabaseDown),
        (ConnectionResetError(), DatabaseDown),
        (asyncpg.DeadlockDetectedError("both"), Conflict),
        (asyncpg.LockNotAvailableError("held"), Conflict),
        (asyncpg.UniqueViolationError("twice"), Duplicate),
        (asyncpg.CheckViolationError("no"), DatabaseRefused),
        (asyncpg.InsufficientPrivilegeError("no"), DatabaseRefused),
        (asyncpg.ReadOnlySQLTransactionError("no"), DatabaseRefused),
        (asyncpg.DiskFullError("full"), DatabaseRefused),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_an_error_is_named_by_its_meaning(error: Exception, meaning: type[Exception]) -> None:
    assert type(named(error)) is meaning


def test_a_duplicate_names_its_constraint() -> None:
    error = asyncpg.UniqueViolationError("twice")
    error.constraint_name = "one_live_payment_per_order"
    assert str(named(error)) == "one_live_payment_per_order"


async def test_a_server_that_is_not_there_is_down() -> None:
    connect = connector("127.0.0.1", 9, "u", "p", "d", connect_seconds=1.0, statement_seconds=1.0)
    with pytest.raises(DatabaseDown, match="cannot connect"):
        async with ConnectionPool(connect, 1).connection(Deadline(2.0)):
            pass
