"""Who keeps others waiting in a database, from what the server lists."""

import math
from typing import Any

from lakeproof.stack.engines import mysql_sessions, postgres_sessions
from lakeproof.stack.engines.mysql_sessions import BACKUP_LOCK
from lakeproof.stack.engines.sessions import Blocker, Session, blocker_of

HEAD = Session("root", None, 12.0)


def waiting(seconds: float, account: str = "report") -> Session:
    return Session(account, seconds, seconds)


def test_the_session_that_waits_for_nobody_and_that_most_wait_for_is_told() -> None:
    sessions = {10: HEAD, 20: waiting(9.0), 30: waiting(4.0), 40: waiting(1.0), 50: HEAD, 60: waiting(7.0)}
    # 30 waits for 10 and for 20, which itself waits for 10; 40 has come a moment ago.
    waits = [(20, 10), (30, 10), (30, 20), (40, 10), (60, 50)]
    assert blocker_of(waits, sessions) == Blocker(10, "root", 3, 9.0)


def test_who_waits_behind_another_that_waits_waits_for_the_first_of_the_queue() -> None:
    sessions = {10: HEAD, 20: waiting(9.0), 30: waiting(4.0), 60: waiting(7.0)}
    assert blocker_of([(20, 30), (30, 10), (60, 20)], sessions) == Blocker(10, "root", 3, 9.0)


def test_of_two_that_all_wait_for_the_older_one_is_told() -> None:
    sessions = {10: HEAD, 11: Session("report", None, 90.0), 20: waiting(9.0)}
    assert blocker_of([(20, 10), (20, 11)], sessions) == Blocker(11, "report", 1, 9.0)


def test_nobody_blocks_where_waits_are_short_or_the_head_has_begun_a_moment_ago() -> None:
    assert blocker_of([(40, 10)], {10: HEAD, 40: waiting(1.9)}) is None
    # A row that is written all the time: each of its writers holds it for a moment.
    assert blocker_of([(20, 10)], {10: Session("root", None, 0.3), 20: waiting(9.0)}) is None
    assert blocker_of([], {10: HEAD}) is None


def test_a_head_without_a_session_makes_nobody_behind_it_the_head() -> None:
    """A prepared transaction, for example: to end one of those that wait helps nobody."""
    assert blocker_of([(20, 0), (30, 20)], {20: waiting(9.0), 30: waiting(8.0)}) is None
    assert blocker_of([(20, 10), (30, 20)], {20: waiting(9.0), 30: waiting(8.0)}) is None


class Server:
    """MariaDB's answers. processes: (session, user, state, waits for a table for s, says)."""

    def __init__(
        self,
        processes: list[tuple[Any, ...]],
        locks: list[tuple[Any, ...]],
        transactions: list[tuple[Any, ...]] | None = None,
        rows: list[tuple[Any, ...]] | None = None,
        shown: bool = True,
    ) -> None:
        self.processes, self.locks, self.transactions, self.rows = processes, locks, transactions or [], rows or []
        self.shown = shown

    def __call__(self, statement: str, *_: object) -> list[tuple[Any, ...]]:
        return {
            mysql_sessions._PROCESSES: self.processes,
            mysql_sessions._LOCKS: self.locks,
            mysql_sessions._LOCKS_SHOWN: [(1,)] if self.shown else [],
            mysql_sessions._TRANSACTIONS: self.transactions,
            mysql_sessions._ROW_WAITS: self.rows,
        }[statement]


TABLE = "Waiting for table metadata lock"
READER, WRITER = (
    (20, "order", TABLE, 9.0, "SELECT * FROM Orders o"),
    (30, "order", TABLE, 2.0, "insert into `orders`"),
)


def lock(
    session: int, mode: str, held: float | None, table: str | None = "orders", kind: str = TABLE
) -> tuple[Any, ...]:
    return (session, kind.replace("Waiting for t", "T"), mode, held, "oltp", table)


def test_who_keeps_others_out_of_the_table_that_they_name_is_told_however_many_use_it_or_another() -> None:
    others = [(number, "report", "", None, None) for number in (10, 50, 60, 70)]
    locks = [
        lock(10, "MDL_SHARED_NO_READ_WRITE", 10.0),
        lock(50, "MDL_SHARED_READ", 60.0),
        lock(60, "MDL_SHARED_NO_READ_WRITE", 300.0, "export"),
        lock(70, "MDL_SHARED_NO_WRITE", 86400.0, None, "User lock"),
        lock(70, "MDL_BACKUP_DDL", 86400.0, "", "Backup lock"),
    ]
    found = mysql_sessions.blocker(Server([READER, WRITER, *others], locks))
    assert found == Blocker(10, "report", 2, 9.0)


def test_behind_a_statement_that_waits_who_has_used_its_table_for_the_longest_is_told() -> None:
    alter = (20, "root", TABLE, 9.0, "TRUNCATE oltp.orders")
    others = [(number, "report", "", None, None) for number in (10, 40, 50)]
    locks = [
        lock(10, "MDL_SHARED_READ", 10.0),
        lock(40, "MDL_SHARED_WRITE", 30.0),
        lock(50, "MDL_SHARED_WRITE", 90.0, "checkouts"),
    ]
    assert mysql_sessions.blocker(Server([alter, WRITER, *others], locks)) == Blocker(40, "report", 2, 9.0)
    # 40 itself waits for a row of 50.
    transactions = [("a", 40, 5, 30), ("b", 50, None, 90), ("c", 0, None, 99)]
    rows = [("a", "b"), ("a", "gone")]
    server = Server([alter, WRITER, *others], locks[1:], transactions, rows)
    assert mysql_sessions.blocker(server) == Blocker(50, "report", 3, 9.0)


def test_who_keeps_all_writers_out_is_told_also_where_nothing_tells_since_when() -> None:
    writer = (20, "order", BACKUP_LOCK, 9.0, "UPDATE orders SET version = 1")
    locks = [
        lock(10, "MDL_BACKUP_WAIT_COMMIT", None, "", "Backup lock"),
        lock(40, "MDL_BACKUP_DML", 90.0, "", "Backup lock"),
    ]
    others = [(10, "backup", "", None, None), (40, "report", "", None, None)]
    assert mysql_sessions.blocker(Server([writer, *others], locks)) == Blocker(10, "backup", 1, 9.0)
    assert mysql_sessions.blocker(Server([writer, *others], locks, shown=False)) is None


def test_a_repair_of_lakeproof_is_told_to_be_one() -> None:
    locks = [
        lock(10, "MDL_SHARED_NO_READ_WRITE", math.inf),
        (10, "User lock", "MDL_SHARED_NO_WRITE", 9.0, "lakeproof 10", ""),
    ]
    found = mysql_sessions.blocker(Server([READER, (10, "root", "", None, None)], locks))
    assert found == Blocker(10, "root", 1, 9.0, ours=True)


def test_who_waits_in_postgresql_behind_the_first_that_waits_for_a_row_counts_as_well() -> None:
    def ask(statement: str, *_: object) -> list[tuple[Any, ...]]:
        if statement == postgres_sessions._WAITS:
            return [(20, 9.0, [10]), (30, 8.0, [20]), (40, 1.0, [20, 30]), (50, 7.0, [0])]
        return [(10, "report", 60.0), *((number, "payment", 9.0) for number in (20, 30, 40, 50, 60))]

    assert postgres_sessions.blocker(ask) == Blocker(10, "report", 3, 9.0)
    assert postgres_sessions.blocker(lambda *_: []) is None
