"""Rows of the shop's Cassandra, by the account that only reads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cassandra import ConsistencyLevel, DriverException
from cassandra.cluster import NoHostAvailable
from cassandra.query import SimpleStatement

from lakeproof.errors import CouldNotLook
from lakeproof.stack.database_rows import READ_SECONDS
from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof.claims.facts import Store


@contextmanager
def ring_rows(stack: Stack) -> Iterator[Callable[[str], Iterator[Any]]]:
    """One session: a function that gives a statement's rows at QUORUM, page after page. Raises: CouldNotLook."""
    try:
        with cassandra_session.session(
            stack, "reader", stack.secret("cassandra-reader"), seconds=READ_SECONDS
        ) as ring:

            def rows(statement: str) -> Iterator[Any]:
                asked = SimpleStatement(statement, consistency_level=ConsistencyLevel.QUORUM, fetch_size=2000)
                return iter(ring.execute(asked, timeout=READ_SECONDS))

            yield rows
    except (DriverException, NoHostAvailable) as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=Store.STOCK.value) from error
