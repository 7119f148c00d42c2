"""The default TTL of one of Cassandra's tables: reading it, and changing it by DDL, as the superuser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.engines.cassandra_roles import SUPERUSER, SUPERUSER_SECRET
from lakeproof.stack.stack import Stack

SECONDS = 10.0
# The TTL of inventory.reservations in shop/inventory/schema.cql.
RESERVATION_TTL = 900
TTL_MAX = 20 * 365 * 86_400  # Cassandra's own limit
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"


def ttl_statement(keyspace: str, table: str, ttl: int) -> str:
    """The DDL. Keyspace and table are not quoted: both must be plain words."""
    return f"ALTER TABLE {keyspace}.{table} WITH default_time_to_live = {ttl:d}"


def ttl_of(stack: Stack, keyspace: str, table: str) -> int:
    """The table's default TTL in seconds; 0: its rows never expire. Raises: as change_ttl."""
    with _ring(stack, keyspace, table) as ring:
        return _ttl_of(ring, keyspace, table)


def change_ttl(stack: Stack, keyspace: str, table: str, ttl: int, *, spare_endless: bool = False) -> int:
    """Set a table's default_time_to_live in seconds; gives what it was before.

    spare_endless: refuse a table whose rows never expire: with a TTL its new rows would expire, and be lost for good.
    Raises: InvalidInput where there is no such table, or the table is refused; CouldNotLook where no node answers;
    TerminalError where the ring refuses.
    """
    with _ring(stack, keyspace, table) as ring:
        before = _ttl_of(ring, keyspace, table)
        if before == 0 and spare_endless:
            raise InvalidInput(
                "its rows never expire: under a TTL what is written would be lost for good",
                where=f"{keyspace}.{table}",
                next_action="name the table of reservations",
            )
        if before != ttl:
            # Both names are plain words: _ttl_of has checked that, and that there is such a table.
            ring.execute(ttl_statement(keyspace, table, ttl))
        return before


@contextmanager
def _ring(stack: Stack, keyspace: str, table: str) -> Iterator[Any]:
    """A session as superuser. Raises: CouldNotLook where no node answers; TerminalError where the ring refuses."""
    from cassandra import DriverException
    from cassandra.cluster import NoHostAvailable

    try:
        with cassandra_session.session(stack, SUPERUSER, stack.secret(SUPERUSER_SECRET), seconds=SECONDS) as ring:
            yield ring
    except NoHostAvailable as error:
        raise CouldNotLook(
            "no node of Cassandra takes a request", where="ring", next_action="lakeproof up cassandra-node3"
        ) from error
    except DriverException as error:
        raise TerminalError(
            f"{type(error).__name__}: {error}", where=f"{keyspace}.{table}", next_action="see lakeproof ring"
        ) from error


def _ttl_of(ring: Any, keyspace: str, table: str) -> int:
    found = ring.execute(
        "SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s",
        (keyspace, table),
    ).one()
    if found is None or not re.fullmatch(r"[a-z][a-z0-9_]*", f"{keyspace}{table}"):
        raise InvalidInput("no such table", where=f"{keyspace}.{table}", next_action="name one of Cassandra's tables")
    return int(found[0])
