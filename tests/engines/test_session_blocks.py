"""The real databases: the session that others wait for is named and ended, whatever kind of lock it holds."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.doubles.plugins import OURS
from tests.engines.conftest import Up

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, TerminalError
from lakeproof.lake.sources import mariadb
from lakeproof.probes.probe import all_probes
from lakeproof.stack import postgres_session
from lakeproof.stack.database_sessions import Server, administrator, blocker, sessions
from lakeproof.stack.engines import mysql
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connection_saturation import faults, repairs
from lakeproof_shop.scenarios.connection_saturation.faults import HeldLock

pytestmark = [pytest.mark.engines, pytest.mark.proof]

type Say = Callable[[str], list[tuple[Any, ...]]]

WAITING = 6
SECONDS = 60.0


@dataclass(frozen=True)
class Lock:
    """holds: what the session says that others wait for. first: of those who wait, what one says before the others
    come. waits: what each of the others says.
    """

    server: Server
    holds: tuple[str, ...]
    waits: str
    first: str | None = None


READ, WRITE = "SELECT * FROM lock_test.one", "UPDATE lock_test.one SET n = n + 1 WHERE id = 1"
LOCKS: Mapping[str, Lock] = {
    "MariaDB, a row": Lock("mysql", ("BEGIN", WRITE), WRITE),
    "MariaDB, LOCK TABLES": Lock("mysql", ("LOCK TABLES lock_test.one WRITE",), READ),
    "MariaDB, ALTER TABLE behind a transaction": Lock(
        "mysql", ("BEGIN", READ), READ, first="ALTER TABLE lock_test.one FORCE"
    ),
    "MariaDB, LOCK TABLES behind a transaction": Lock(
        "mysql", ("BEGIN", READ), READ, first="LOCK TABLES lock_test.one WRITE"
    ),
    "MariaDB, the last stage of a backup": Lock("mysql", ("BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT"), WRITE),
    "MariaDB, FLUSH TABLES WITH READ LOCK": Lock("mysql", ("FLUSH TABLES WITH READ LOCK",), WRITE),
    # The last one of MariaDB: its table is empty then.
    "MariaDB, TRUNCATE behind a transaction": Lock("mysql", ("BEGIN", READ), READ, first="TRUNCATE lock_test.one"),
    "PostgreSQL, a row": Lock("postgres", ("BEGIN", WRITE), WRITE),
    "PostgreSQL, LOCK TABLE": Lock("postgres", ("BEGIN", "LOCK TABLE lock_test.one"), READ),
    "PostgreSQL, ALTER TABLE behind a transaction": Lock(
        "postgres", ("BEGIN", READ), READ, first="ALTER TABLE lock_test.one ADD COLUMN IF NOT EXISTS more integer"
    ),
}
ITS_NUMBER: Mapping[Server, str] = {"mysql": "SELECT CONNECTION_ID()", "postgres": "SELECT pg_backend_pid()"}


@contextmanager
def session(stack: Stack, server: Server) -> Iterator[Say]:
    """A session of the administrator, each statement by itself; it may be ended meanwhile."""
    if server == "mysql":
        connection = mysql.connect(stack, "root", "mysql-root", SECONDS)
        connection.autocommit(True)
        cursor = connection.cursor()

        def say(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        try:
            yield say
        finally:
            connection.close()
        return
    with postgres_session.connection(stack, "postgres", "postgres-root", SECONDS) as postgres:
        yield postgres.rows


@pytest.fixture(scope="module")
def table(stack: Stack, up: Up) -> Iterator[None]:
    """A table with one row in each database, which nobody captures."""
    up("mysql", "postgres")
    for server in ITS_NUMBER:
        with session(stack, server) as say:
            say("CREATE SCHEMA IF NOT EXISTS lock_test")
            say("CREATE TABLE lock_test.one (id integer PRIMARY KEY, n integer NOT NULL)")
            say("INSERT INTO lock_test.one VALUES (1, 0)")
    # A leader that is chosen by a lock holds it for good: nobody's trouble, older than all others.
    with session(stack, "mysql") as leader, session(stack, "postgres") as other_leader:
        leader("SELECT GET_LOCK('leader', 0)")
        other_leader("SELECT pg_advisory_lock(1)")
        yield
    for server in ITS_NUMBER:
        with session(stack, server) as say:
            say("DROP TABLE lock_test.one")


def said(stack: Stack, server: Server, statement: str) -> threading.Thread:
    """Another session says it, and waits."""

    def say_it() -> None:
        with session(stack, server) as say:
            say(statement)

    thread = threading.Thread(target=say_it, daemon=True)
    thread.start()
    return thread


def await_waiting(stack: Stack, server: Server, number: int) -> int:
    """The session for which so many wait now."""

    def find() -> int | None:
        found = blocker(stack, server, 10.0)
        return found.session if found is not None and found.waiting == number else None

    def seen() -> str:
        return str(blocker(stack, server, 10.0))

    holder: int = Deadline(15).wait_for(f"{number} to wait for one session", find, seen=seen)
    return holder


def await_nobody(stack: Stack, server: Server) -> None:
    """Nobody waits. InnoDB shows what it read a moment ago."""

    def look() -> bool | None:
        return True if blocker(stack, server, 10.0) is None else None

    Deadline(5).wait_for("nobody to wait", look)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("name", LOCKS)
def test_the_session_that_others_wait_for_is_named_and_ended_and_they_go_on(stack: Stack, name: str) -> None:
    lock = LOCKS[name]
    server = lock.server
    await_nobody(stack, server)
    with session(stack, server) as say:
        ((number,),) = say(ITS_NUMBER[server])
        for statement in lock.holds:
            say(statement)
        waiting = [said(stack, server, lock.first)] if lock.first else []
        if waiting:
            assert await_waiting(stack, server, 1) == number
        waiting += [said(stack, server, lock.waits) for _ in range(WAITING - len(waiting))]
        assert await_waiting(stack, server, WAITING) == number
        told = str(all_probes(OURS)[f"{server}-blocker"].look(stack).value)
        assert told.startswith(f"session {number} of ") and f": {WAITING} wait" in told

        done = repairs.EndBlockingSession(database=server).run(stack)
        assert f"ended session {number} " in done
        for thread in waiting:
            thread.join(timeout=15)
        assert not any(thread.is_alive() for thread in waiting)
    await_nobody(stack, server)


@pytest.mark.usefixtures("table")
def test_who_waits_for_a_leader_to_go_waits_as_is_meant(stack: Stack) -> None:
    with session(stack, "mysql") as leader, session(stack, "postgres") as other_leader:
        leader("SELECT GET_LOCK('another', 0)")
        other_leader("SELECT pg_advisory_lock(2)")
        waits = [said(stack, "postgres", "SELECT pg_advisory_lock(2)") for _ in range(WAITING)]
        waits += [said(stack, "mysql", "SELECT GET_LOCK('another', 20)") for _ in range(WAITING)]
        with administrator(stack, "mysql", SECONDS) as ask:
            sql = "SELECT 1 FROM information_schema.processlist WHERE state = 'User lock' AND time_ms > 2500"
            Deadline(10).wait_for("them to wait", lambda: len(ask(sql)) == WAITING or None)
        with administrator(stack, "postgres", SECONDS) as ask:
            sql = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            assert len(ask(sql)) == WAITING
        assert [blocker(stack, server, 10.0) for server in ITS_NUMBER] == [None, None]
    for thread in waits:
        thread.join(timeout=15)


@pytest.mark.usefixtures("table")
def test_a_repair_of_lakeproof_that_keeps_the_shop_out_is_told_to_be_one_and_not_ended(stack: Stack) -> None:
    with mariadb.as_root(stack, SECONDS) as cursor:
        mariadb.lock_out(cursor, "lock_test.one")
        waits = [said(stack, "mysql", READ) for _ in range(WAITING)]
        number = await_waiting(stack, "mysql", WAITING)
        probes = all_probes(OURS)
        assert probes["mysql-lock-waiters"].look(stack).value == 0
        assert str(probes["mysql-blocker"].look(stack).value).startswith(
            f"session {number} of a repair of Lakeproof: "
        )
        with pytest.raises(TerminalError, match="is a repair of Lakeproof"):
            repairs.EndBlockingSession(database="mysql").run(stack)
    for thread in waits:
        thread.join(timeout=15)
    await_nobody(stack, "mysql")


@pytest.mark.usefixtures("table")
def test_nobody_is_named_where_the_server_does_not_show_who_holds_a_table(stack: Stack) -> None:
    long = "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for %' AND time_ms > 2500"
    with administrator(stack, "mysql", SECONDS) as ask, session(stack, "mysql") as say:
        ask("UNINSTALL SONAME 'metadata_lock_info'")
        try:
            say("LOCK TABLES lock_test.one WRITE")
            waits = said(stack, "mysql", READ)
            Deadline(10).wait_for("it to wait", lambda: ask(long) or None)
            assert blocker(stack, "mysql", 10.0) is None
        finally:
            ask("INSTALL SONAME 'metadata_lock_info'")
        # From now on it is shown, though not since when it is held.
        ((number,),) = say(ITS_NUMBER["mysql"])
        assert await_waiting(stack, "mysql", 1) == number
        say("UNLOCK TABLES")
        waits.join(timeout=15)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("server", "locked"), [("mysql", "oltp.orders"), ("postgres", "lock_test.one")])
def test_the_fault_of_a_drill_fills_the_server_and_ends_with_the_session_that_holds_the_lock(
    stack: Stack, server: Server, locked: str
) -> None:
    given = HeldLock(database=server, table=locked)
    # The shop's own database of PostgreSQL, in which no service has made its tables yet.
    with postgres_session.connection(stack, "postgres", "postgres-root", SECONDS, "shop") as postgres:
        postgres.rows("CREATE SCHEMA IF NOT EXISTS lock_test")
        postgres.rows("CREATE TABLE IF NOT EXISTS lock_test.one (id integer PRIMARY KEY, n integer NOT NULL)")

    def landed() -> bool | None:
        return given.sign(stack).holds or None

    given.inject(stack)
    try:
        Deadline(40).wait_for("it to land", landed, seen=lambda: given.sign(stack).seen)
        probes = all_probes(OURS)
        assert 90 < float(str(probes[f"{server}-connections"].look(stack).value)) < 100
        assert float(str(probes[f"{server}-idle-account"].look(stack).value)) < 50
        given.inject(stack)  # safe to repeat

        assert "ended session" in repairs.EndBlockingSession(database=server).run(stack)
        Deadline(20).wait_for("it to end", lambda: not faults.running(stack, given) or None)
        await_nobody(stack, server)
        assert sessions(stack, server, SECONDS).percent < 50
    finally:
        given.remove(stack)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("server", ITS_NUMBER)
def test_the_fault_says_that_there_is_no_such_table_and_leaves_nothing(stack: Stack, server: Server) -> None:
    given = HeldLock(database=server, table="no_such.table")
    with pytest.raises(CouldNotLook, match="no_such"):
        given.inject(stack)
    assert not faults.running(stack, given)
