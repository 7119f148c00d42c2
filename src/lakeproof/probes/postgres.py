"""Questions to PostgreSQL: does it answer, know the capture's login, tick, and keep the place of the capture."""

from typing import Any

import psycopg
from psycopg.errors import InsufficientPrivilege, InvalidAuthorizationSpecification, InvalidPassword

from lakeproof.errors import CouldNotLook
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.capture.slot import LOST, look, slot_name
from lakeproof.probes.captures import SHOPS
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.engines.postgres_accounts import LOOKING_ON
from lakeproof.stack.postgres_session import TROUBLES, select
from lakeproof.stack.stack import Stack

READER = "reader"
CAPTURE_USER = "cdc"
SLOT = slot_name(find_connector(SHOPS.connector))
HEARTBEAT = find_connector(SHOPS.connector).heartbeat
KEPT = "kept"

BEAT_AGE = f"SELECT extract(epoch FROM clock_timestamp()) - beat_us / 1e6 FROM {HEARTBEAT} WHERE id = 1"
# Whether it may log in, into this database, and follow a slot; and of which groups it is not a member.
LACKING = """
SELECT (NOT role.rolcanlogin)::int + (NOT has_database_privilege(role.oid, current_database(), 'CONNECT'))::int
  + (NOT role.rolreplication)::int + (SELECT count(*) FROM unnest($2::text[]) AS wanted WHERE NOT EXISTS (
  SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = role.oid AND g.rolname = wanted))
FROM pg_roles role WHERE role.rolname = $1
"""
NO_LOGIN = "not permitted to log in"
REJECTED = (InvalidAuthorizationSpecification, InvalidPassword)


def postgres_answers(stack: Stack, timeout: float) -> Value:
    """answers, silent, refused, rejected (the server knows no reader with that password), or
    its error's SQLSTATE; "refuses to connect" where the server said why in words that are not known.
    """
    try:
        select(stack, READER, f"postgres-{READER}", "SELECT 1", seconds=timeout)
    except REJECTED:
        return "rejected"
    except psycopg.Error as error:
        return f"error {error.sqlstate}" if error.sqlstate else "refuses to connect"
    except ConnectionRefusedError:
        return REFUSED
    except OSError:
        return SILENT
    return ANSWERS


def capture_login(stack: Stack, timeout: float) -> Value:
    """Whether PostgreSQL takes the password that the stack has for the capture: accepted or rejected.

    PostgreSQL looks at the password first, so an account that may not log in, or not into this database, had the
    right password.
    """
    try:
        _ask(stack, "SELECT 1", timeout=timeout, user=CAPTURE_USER)
    except InsufficientPrivilege:
        return "accepted"
    except REJECTED as error:
        return "accepted" if NO_LOGIN in str(error) else "rejected"
    return "accepted"


def missing_privileges(stack: Stack, timeout: float) -> Value:
    """How many privileges the capture's user lacks (to log in, to follow a slot, groups); None without that user."""
    groups = [group for account in LOOKING_ON if account.user == CAPTURE_USER for group in account.member_of]
    rows = _ask(stack, LACKING, CAPTURE_USER, groups, timeout=timeout)
    return int(rows[0][0]) if rows else None


def heartbeat_age(stack: Stack, timeout: float) -> Value:
    """Seconds since the ticker last wrote its row, by the database's own clock; None where there is no row."""
    rows = _ask(stack, BEAT_AGE, timeout=timeout)
    return round(float(rows[0][0]), 3) if rows else None


def slot_state(stack: Stack, timeout: float) -> Value:
    """kept; lost, where the WAL that it needs is gone; None where there is no such slot."""
    slot = look(stack, find_connector(SHOPS.connector), timeout)
    if slot is None:
        return None
    return LOST if slot.status == LOST else KEPT


def _ask(stack: Stack, sql: str, *args: object, timeout: float, user: str = READER) -> list[tuple[Any, ...]]:
    """The rows of one statement in the captured database.

    Raises: CouldNotLook without an answer; where the capture's login is turned down,
    one of REJECTED or InsufficientPrivilege.
    """
    try:
        return select(stack, user, f"postgres-{user}", sql, *args, seconds=timeout, database=SHOPS.database.name)
    except (*REJECTED, InsufficientPrivilege):
        if user == CAPTURE_USER:
            raise
        raise CouldNotLook("its reader is turned down", where="postgres") from None
    except TROUBLES as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where="postgres") from error


PROBES = (
    Probe(
        "postgres-answers",
        "postgres",
        "SELECT 1",
        "",
        postgres_answers,
        Condition(Operator.IS, ANSWERS),
        always=True,
        liveness=True,
    ),
    Probe(
        SHOPS.named("capture-login"),
        "postgres",
        f"log in as {CAPTURE_USER} with the capture's password",
        "",
        capture_login,
        Condition(Operator.IS, "accepted"),
        within=SHOPS.within,
    ),
    Probe(
        SHOPS.named("missing-privileges"),
        "postgres",
        f"pg_roles, pg_auth_members: what {CAPTURE_USER} lacks",
        "privileges",
        missing_privileges,
        Condition(Operator.IS, 0),
        within=SHOPS.within,
    ),
    Probe(
        SHOPS.named("heartbeat-age"),
        "postgres",
        BEAT_AGE,
        "s",
        heartbeat_age,
        Condition(Operator.BELOW, 5),
        about=(SHOPS.exporter,),
        within=SHOPS.within,
    ),
    Probe(
        SHOPS.named("slot-state"),
        "postgres",
        f"wal_status of pg_replication_slots, slot {SLOT}",
        "",
        slot_state,
        Condition(Operator.IS, KEPT),
        about=("connect",),
        within=SHOPS.within,
    ),
)
