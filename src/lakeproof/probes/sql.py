"""Questions to the shop's database (MariaDB or MySQL): does it answer, know the capture's login, tick.

pymysql's own timeouts cut a server that accepts and then stays silent (SIGSTOP).
"""

from typing import Any

import pymysql

from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

CAPTURE_USER = "cdc"
TABLES = (
    "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
    " AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
)
READER = "reader"
# What the capture cannot do without (Debezium's MariaDB connector).
CAPTURE_PRIVILEGES = ("SELECT", "RELOAD", "SHOW DATABASES", "REPLICATION SLAVE", "BINLOG MONITOR", "LOCK TABLES")
ACCESS_DENIED = 1045
CANNOT_CONNECT = 2003
# From here on the numbers are the client library's: no answer came.
CLIENT_ERRORS = 2000


def select(stack: Stack, user: str, statement: str, timeout: float) -> tuple[tuple[Any, ...], ...]:
    """The rows of one statement, as that user of the stack. Raises: pymysql.Error."""
    host, port = stack.host_port("mysql")
    connection = pymysql.connect(
        host=host,
        port=port,
        user=stack.account(f"mysql-{user}", user),
        password=stack.secret(f"mysql-{user}"),
        connect_timeout=max(1, int(timeout)),
        read_timeout=timeout,
        write_timeout=timeout,
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return tuple(cursor.fetchall())
    finally:
        connection.close()


def _kind(error: pymysql.Error) -> str:
    """REFUSED or SILENT for an error without an answer, "rejected" for a login that was turned down.

    The server's own errors (too many connections is 1040) are answers: `error CODE`.
    """
    code = error.args[0] if error.args else 0
    if code == ACCESS_DENIED:
        return "rejected"
    if isinstance(code, int) and 1000 <= code < CLIENT_ERRORS:
        return f"error {code}"
    text = str(error)
    if code == CANNOT_CONNECT and ("refused" in text.lower() or "[Errno 111]" in text):
        return REFUSED
    return SILENT


def database_answers(stack: Stack, timeout: float) -> Value:
    """answers, silent, refused, rejected (it knows no reader of that password), or its error."""
    try:
        select(stack, READER, "SELECT 1", timeout)
    except pymysql.Error as error:
        return _kind(error)
    return ANSWERS


def capture_login(stack: Stack, timeout: float) -> Value:
    """accepted or rejected, with the password that the stack has for the capture."""
    try:
        select(stack, CAPTURE_USER, "SELECT 1", timeout)
    except pymysql.Error as error:
        if _kind(error) == "rejected":
            return "rejected"
        raise CouldNotLook(f"no answer: {error.args[:1]}", where="mysql") from error
    return "accepted"


def missing_privileges(stack: Stack, timeout: float) -> Value:
    """How many privileges the capture's user lacks, by its own SHOW GRANTS."""
    try:
        rows = select(stack, CAPTURE_USER, "SHOW GRANTS", timeout)
    except pymysql.Error as error:
        raise CouldNotLook(f"the capture's user cannot look: {error.args[:1]}", where="mysql") from error
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


def heartbeat_age(stack: Stack, timeout: float) -> Value:
    """Seconds since the ticker last wrote its row, by the database's own clock; None where there is no row."""
    statement = "SELECT UNIX_TIMESTAMP(NOW(6)) - beat_us / 1000000 FROM oltp.cdc_heartbeat WHERE id = 1"
    try:
        rows = select(stack, READER, statement, timeout)
    except pymysql.Error as error:
        raise CouldNotLook(f"no answer: {error.args[:2]}", where="mysql") from error
    return round(float(rows[0][0]), 3) if rows and rows[0][0] is not None else None


def tables(stack: Stack, timeout: float) -> Value:
    """`schema.table` of every table but the server's own, sorted, joined by spaces."""
    try:
        rows = select(stack, READER, TABLES, timeout)
    except pymysql.Error as error:
        raise CouldNotLook(f"no answer: {error.args[:2]}", where="mysql") from error
    return " ".join(sorted(str(row[0]) for row in rows))


PROBES = (
    Probe(
        "database-answers",
        "mysql",
        "SELECT 1",
        "",
        database_answers,
        Condition(Operator.IS, ANSWERS),
        always=True,
        liveness=True,
    ),
    Probe(
        "capture-login",
        "mysql",
        f"log in as {CAPTURE_USER} with the capture's password",
        "",
        capture_login,
        Condition(Operator.IS, "accepted"),
    ),
    Probe(
        "missing-privileges",
        "mysql",
        f"SHOW GRANTS as {CAPTURE_USER}: privileges lacking",
        "privileges",
        missing_privileges,
        Condition(Operator.IS, 0),
    ),
    Probe(
        "heartbeat-age",
        "mysql",
        "SELECT UNIX_TIMESTAMP(NOW(6)) - beat_us / 1000000 FROM oltp.cdc_heartbeat WHERE id = 1",
        "s",
        heartbeat_age,
        Condition(Operator.BELOW, 5),
        about=("lag-exporter",),
    ),
    Probe("tables", "mysql", TABLES, "", tables, inventory=True),
)
