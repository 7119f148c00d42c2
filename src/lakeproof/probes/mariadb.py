"""Questions to MariaDB (or MySQL). It has the same functions as postgres.py; databases.py says what they do.

pymysql's own timeouts cut a server that accepts and then stays silent (SIGSTOP).
"""

from typing import Any

import pymysql

from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources.engine import CAPTURE_USER, READER
from lakeproof.lake.sources.mariadb import LOG_NEEDS
from lakeproof.lake.sources.source import Source
from lakeproof.probes.http import ANSWERS, REFUSED, REJECTED, SILENT
from lakeproof.probes.reading import Value
from lakeproof.stack.engines.mysql import ACCESS_DENIED, CLIENT_ERRORS, connect
from lakeproof.stack.stack import Stack

PRIVILEGES = f"SHOW GRANTS as {CAPTURE_USER}: privileges lacking"
TABLES = (
    "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    " AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
)
LOG = f"SHOW GLOBAL VARIABLES: {', '.join(LOG_NEEDS)}"
# What the capture cannot do without (Debezium's MariaDB connector).
CAPTURE_PRIVILEGES = ("SELECT", "RELOAD", "SHOW DATABASES", "REPLICATION SLAVE", "BINLOG MONITOR", "LOCK TABLES")
CANNOT_CONNECT = 2003


def select(stack: Stack, user: str, statement: str, timeout: float) -> tuple[tuple[Any, ...], ...]:
    """The rows of one statement, as that user of the stack. Raises: pymysql.Error."""
    with connect(stack, user, f"mysql-{user}", timeout) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return tuple(cursor.fetchall())


def _kind(error: pymysql.Error) -> str:
    """REFUSED or SILENT for an error without an answer, REJECTED for a login that was turned down.

    The server's own errors (too many connections is 1040) are answers: `error CODE`.
    """
    code = error.args[0] if error.args else 0
    if code == ACCESS_DENIED:
        return REJECTED
    if isinstance(code, int) and 1000 <= code < CLIENT_ERRORS:
        return f"error {code}"
    text = str(error)
    if code == CANNOT_CONNECT and ("refused" in text.lower() or "[Errno 111]" in text):
        return REFUSED
    return SILENT


def answers(stack: Stack, timeout: float) -> Value:
    """As Database."""
    try:
        select(stack, READER, "SELECT 1", timeout)
    except pymysql.Error as error:
        return _kind(error)
    return ANSWERS


def missing_privileges(stack: Stack, timeout: float, source: Source) -> Value:
    """As Database, by the account's own SHOW GRANTS."""
    rows = ask(stack, "SHOW GRANTS", timeout, CAPTURE_USER)
    return len(missing_in(tuple(str(row[0]) for row in rows)))


def missing_in(grants: tuple[str, ...]) -> tuple[str, ...]:
    """The privileges of CAPTURE_PRIVILEGES that no global grant gives. `grants` are lines of SHOW GRANTS."""
    given: set[str] = set()
    for line in grants:
        privileges, _, rest = line.removeprefix("GRANT ").partition(" ON ")
        if rest.startswith("*.*"):
            given |= {privilege.strip().upper() for privilege in privileges.split(",")}
    if "ALL PRIVILEGES" in given:
        return ()
    return tuple(privilege for privilege in CAPTURE_PRIVILEGES if privilege not in given)


def beat_age(source: Source) -> str:
    """As Database."""
    table = find_connector(source.connector).heartbeat_source
    return f"SELECT UNIX_TIMESTAMP(NOW(6)) - beat_us / 1000000 FROM {table} WHERE id = 1"


def heartbeat_age(stack: Stack, timeout: float, source: Source) -> Value:
    """As Database."""
    rows = ask(stack, beat_age(source), timeout)
    return round(float(rows[0][0]), 3) if rows and rows[0][0] is not None else None


BINLOG_READERS = "information_schema.processlist: accounts that follow the binlog"


def binlog_readers(stack: Stack, timeout: float) -> Value:
    """The accounts of which a session follows the binlog, the capture's own included, joined by spaces; "none"."""
    rows = ask(
        stack, "SELECT DISTINCT user FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'", timeout
    )
    return " ".join(sorted(str(row[0]) for row in rows)) or "none"


def tables(stack: Stack, timeout: float, source: Source) -> Value:
    """As Database, of all schemas."""
    return " ".join(sorted(str(row[0]) for row in ask(stack, TABLES, timeout)))


def ask(stack: Stack, statement: str, timeout: float, user: str = READER) -> tuple[tuple[Any, ...], ...]:
    """The rows of one statement. Raises: CouldNotLook."""
    try:
        return select(stack, user, statement, timeout)
    except pymysql.Error as error:
        raise CouldNotLook(f"no answer to {user}: {error.args[:2]}", where="mysql") from error
