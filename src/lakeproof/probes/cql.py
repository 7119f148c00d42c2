"""Questions to Cassandra in CQL: does the ring answer at QUORUM, and how long may a reservation live."""

from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, REJECTED
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.engines.cassandra import is_refused_login
from lakeproof.stack.engines.cassandra_config import ALL_NODES, NODES
from lakeproof.stack.stack import Stack

READER = "reader"
READER_SECRET = "cassandra-reader"
# One partition, which need not exist. For a scan Cassandra asks no second replica, so one hung node of three would
# make the whole ring look silent for as long as the others take it for up.
ONE_PARTITION = "SELECT sku FROM inventory.stock WHERE sku = 'health'"
TTL = (
    "SELECT default_time_to_live FROM system_schema.tables"
    " WHERE keyspace_name = 'inventory' AND table_name = 'reservations'"
)


def select(stack: Stack, statement: str, timeout: float) -> list[tuple[Value, ...]]:
    """The rows of one statement at QUORUM, as the reader. Raises: CouldNotLook."""
    from cassandra import DriverException
    from cassandra.cluster import NoHostAvailable

    try:
        return _select(stack, statement, timeout)
    except (DriverException, NoHostAvailable) as error:
        where, mend = NODES[0], "is the ring up?"
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=where, next_action=mend) from error


def _select(stack: Stack, statement: str, timeout: float) -> list[tuple[Value, ...]]:
    from cassandra import ConsistencyLevel
    from cassandra.query import SimpleStatement

    with cassandra_session.session(stack, READER, stack.secret(READER_SECRET), seconds=timeout) as ring:
        asked = SimpleStatement(statement, consistency_level=ConsistencyLevel.QUORUM)
        return [tuple(row) for row in ring.execute(asked, timeout=timeout)]


def quorum_answers(stack: Stack, timeout: float) -> Value:
    """answers, refused (no node takes connections), rejected (the reader's password), or the ring's error."""
    from cassandra import DriverException
    from cassandra.cluster import NoHostAvailable

    try:
        _select(stack, ONE_PARTITION, timeout)
    except NoHostAvailable as error:
        return REJECTED if is_refused_login(error) else REFUSED
    except DriverException as error:
        return f"error {type(error).__name__}"
    return ANSWERS


def reservation_ttl(stack: Stack, timeout: float) -> Value:
    """Seconds after which a row of inventory.reservations vanishes; None where there is no such table."""
    rows = select(stack, TTL, timeout)
    return rows[0][0] if rows else None


PROBES = (
    Probe(
        "ring-answers",
        NODES[0],
        f"{ONE_PARTITION} at QUORUM",
        "",
        quorum_answers,
        Condition(Operator.IS, ANSWERS),
        about=ALL_NODES[1:],
    ),
    Probe(
        "reservation-ttl",
        NODES[0],
        TTL,
        "s",
        reservation_ttl,
        about=ALL_NODES[1:],
    ),
)
