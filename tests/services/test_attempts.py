"""A database that has no session left: what is open goes on, and is not given away."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from lakeproof.deadline import Deadline
from lakeproof_shop.serving.database.attempts import Attempts
from lakeproof_shop.serving.database.errors import DatabaseFull
from lakeproof_shop.serving.database.metrics import DatabaseMetrics
from lakeproof_shop.serving.database.pool import ConnectionPool


class Connection:
    """Keeps whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class Database:
    """Lets in so many."""

    def __init__(self, places: int) -> None:
        self.places, self.opened = places, list[Connection]()

    async def connect(self) -> Connection:
        if len(self.opened) >= self.places:
            raise DatabaseFull("cannot connect (1040)")
        self.opened.append(Connection())
        return self.opened[-1]


async def execute(connection: Connection, statement: str) -> None:
    """No statement is sent in these tests but COMMIT."""


def attempts(database: Database) -> Attempts[Connection]:
    return Attempts(ConnectionPool(database.connect, 10), DatabaseMetrics(CollectorRegistry()), execute)


async def work(connection: Connection) -> int:
    await asyncio.sleep(0.02)
    return 1


async def test_more_requests_than_a_full_database_has_places_are_all_served_by_the_open_ones() -> None:
    database = Database(places=2)
    some = attempts(database)
    done = await asyncio.gather(*(some.run(work, Deadline(5)) for _ in range(10)))
    assert done == [1] * 10
    assert [connection.closed for connection in database.opened] == [False, False]


async def test_who_has_no_connection_at_all_is_told_soon() -> None:
    with pytest.raises(DatabaseFull):
        await attempts(Database(places=0)).run(work, Deadline(5))
