"""Questions to PostgreSQL: the same functions as mariadb.py (databases.py says what they do), and the slot's."""

from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.slot import LOST, look, slot_name
from lakeproof.lake.sources.engine import CAPTURE_USER, READER
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, REJECTED, SILENT, STARTING
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.stack.database_rows import read_rows
from lakeproof.stack.engines.postgres_accounts import LOOKING_ON
from lakeproof.stack.engines.postgres_config import NAME
from lakeproof.stack.stack import Stack

KEPT = "kept"
# The server lets nobody in again until it has ended; after a plain SIGTERM it waits for its last client to go.
SHUTS_DOWN = "shuts down"
PRIVILEGES = f"pg_roles, pg_auth_members: what {CAPTURE_USER} lacks"
TABLES = """
SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""
LOG = "pg_publication, pg_publication_rel, relreplident of pg_class: what they leave out of the capture's tables"
# How much the account lacks: to log in, to connect to this database, to follow a slot, and each group it is not in.
LACKING = """
SELECT (NOT role.rolcanlogin)::int + (NOT has_database_privilege(role.oid, current_database(), 'CONNECT'))::int
  + (NOT role.rolreplication)::int + (SELECT count(*) FROM unnest($2::text[]) AS wanted WHERE NOT EXISTS (
  SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = role.oid AND g.rolname = wanted))
FROM pg_roles role WHERE role.rolname = $1
"""


def answers(stack: Stack, timeout: float) -> Value:
    """As Database, and besides: SHUTS_DOWN; `error SQLSTATE`; "refuses to connect" where the server said why in words
    that are not known.
    """
    import psycopg
    from psycopg.errors import CannotConnectNow, InvalidAuthorizationSpecification, InvalidPassword

    from lakeproof.stack.postgres_session import select

    try:
        select(stack, READER, f"postgres-{READER}", "SELECT 1", seconds=timeout)
    except (InvalidAuthorizationSpecification, InvalidPassword):
        return REJECTED
    except CannotConnectNow as error:
        return SHUTS_DOWN if "shutting down" in str(error) else STARTING
    except psycopg.Error as error:
        return f"error {error.sqlstate}" if error.sqlstate else "refuses to connect"
    except ConnectionRefusedError:
        return REFUSED
    except OSError:
        return SILENT
    return ANSWERS


def missing_privileges(stack: Stack, timeout: float, source: Source) -> Value:
    """As Database (to log in, to follow a slot, groups); None without that user."""
    groups = [group for account in LOOKING_ON if account.user == CAPTURE_USER for group in account.member_of]
    name = source.module.account_name(stack, CAPTURE_USER)
    rows = read_rows(stack, LACKING, name, groups, seconds=timeout, database=source.name)
    return int(rows[0][0]) if rows else None


def beat_age(source: Source) -> str:
    """As Database."""
    table = find_connector(source.connector).heartbeat_source
    return f"SELECT extract(epoch FROM clock_timestamp()) - beat_us / 1e6 FROM {table} WHERE id = 1"


def heartbeat_age(stack: Stack, timeout: float, source: Source) -> Value:
    """As Database."""
    rows = read_rows(stack, beat_age(source), seconds=timeout, database=source.name)
    return round(float(rows[0][0]), 3) if rows else None


def tables(stack: Stack, timeout: float, source: Source) -> Value:
    """As Database, of the source's database."""
    rows = read_rows(stack, TABLES, seconds=timeout, database=source.name)
    return " ".join(sorted(str(row[0]) for row in rows))


def slot_state(stack: Stack, timeout: float, source: Source) -> Value:
    """kept; lost, where the WAL that the slot needs is gone; None where there is no such slot."""
    slot = look(stack, find_connector(source.connector), timeout)
    if slot is None:
        return None
    return LOST if slot.status == LOST else KEPT


def _slot(source: Source) -> Probe:
    query = f"wal_status of pg_replication_slots, slot {slot_name(find_connector(source.connector))}"
    kept = Condition(Operator.IS, KEPT)
    return of_source(
        source, "slot-state", NAME, query, slot_state, "", kept, about=("connect",), steady=("lost", None)
    )


PROBES = tuple(_slot(source) for source in SOURCES if source.engine == NAME)
