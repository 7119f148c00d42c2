"""Who keeps others waiting in a database, from what the server lists."""

import math
from types import SimpleNamespace
from typing import Any

import pytest

from lakeproof.stack import database_sessions
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


def test_nobody_blocks_where_waits_are_short() -> None:
    assert blocker_of([(40, 10)], {10: HEAD, 40: waiting(1.9)}) is None
    assert blocker_of([], {10: HEAD}) is None


def test_nobody_blocks_where_the_head_is_another_one_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is written all the time: each of its writers holds it for a moment."""
    heads = iter([10, 20, 30, 30, 40])
    engine = SimpleNamespace(blocker=lambda _: Blocker(next(heads), "order", 9, 3.0))
    monkeypatch.setattr(database_sessions, "ENGINES", {"mysql": engine})
    monkeypatch.setattr(database_sessions, "looked_at", lambda *asked: asked[-1](None))
    monkeypatch.setattr(database_sessions, "BETWEEN_LOOKS", 0.0)
    stack: Any = None
    assert database_sessions.blocker(stack, "mysql", 1.0) is None
    assert database_sessions.blocker(stack, "mysql", 1.0) == Blocker(30, "order", 9, 3.0)


def test_a_head_without_a_session_makes_nobody_behind_it_the_head() -> None:
    """A prepared transaction, for example: to end one of those that wait helps nobody."""
    assert blocker_of([(20, 0), (30, 20)], {20: waiting(9.0), 30: waiting(8.0)}) is None
    assert blocker_of([(20, 10), (30, 20)], {20: waiting(9.0), 30: waiting(8.0)}) is None


class Server:
    """MariaDB's answers. processes: (session, user, database, state, waits for s, says)."""

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


def says(session: int, statement: str, seconds: float = 9.0, state: str = TABLE) -> tuple[Any, ...]:
    """A session of the order service that waits."""
    return (session, "order", "oltp", state, seconds, statement)


def idle(*sessions: int) -> list[tuple[Any, ...]]:
    return [(session, "report", None, "", None, None) for session in sessions]


def lock(session: int, mode: str, held: float | None, table: str = "oltp.orders") -> tuple[Any, ...]:
    return (session, "Table metadata lock", mode, held, *table.split("."))


def other(session: int, kind: str, mode: str, held: float, name: str = "") -> tuple[Any, ...]:
    return (session, kind, mode, held, name, "")


READER = says(20, "SELECT * FROM orders o JOIN order_items i ON i.order_id = o.id")
WRITER = says(30, "insert into `oltp`.`orders` (id, notes) VALUES (1, 'export')", 2.0)
OUT, READS, WRITES = "MDL_SHARED_NO_READ_WRITE", "MDL_SHARED_READ", "MDL_SHARED_WRITE"


def test_who_keeps_others_out_of_the_table_that_they_name_is_told_however_many_use_it_or_another() -> None:
    locks = [
        lock(10, OUT, 10.0),
        lock(50, READS, 60.0),
        lock(60, OUT, 300.0, "oltp.export"),
        lock(61, OUT, 300.0, "oltp.notes"),
        lock(62, OUT, 300.0, "scratch.orders"),
        other(70, "User lock", "MDL_SHARED_NO_WRITE", 86400.0, "leader"),
        other(70, "Backup lock", "MDL_BACKUP_DDL", 86400.0),
    ]
    found = mysql_sessions.blocker(Server([READER, WRITER, *idle(10, 50, 60, 61, 62, 70)], locks))
    assert found == Blocker(10, "report", 2, 9.0)


@pytest.mark.parametrize(
    ("said", "tables"),
    [
        ("TRUNCATE orders", {"oltp.orders"}),
        ("truncate table crm.orders", {"crm.orders", "oltp.table"}),
        ("LOCK TABLES orders AS o READ, `order items` WRITE", {"oltp.orders", "oltp.order items"}),
        ("ALTER TABLE `oltp`.`order-items` ADD COLUMN a INT, ADD COLUMN b INT", {"oltp.order-items"}),
        ("SELECT a, b FROM orders o, crm.people p WHERE note = 'c'", {"oltp.orders", "crm.people"}),
        ("UPDATE orders SET total = 1", {"oltp.orders"}),
        ("SELECT 1", set()),
    ],
)
def test_the_tables_of_a_statement_are_those_behind_its_words_for_tables(said: str, tables: set[str]) -> None:
    assert {".".join(each) for each in mysql_sessions.tables_in(said, "oltp")} == tables


def test_behind_a_statement_that_waits_who_writes_its_table_is_told_and_else_who_reads_it() -> None:
    truncate = says(20, "TRUNCATE oltp.orders")
    locks = [lock(10, READS, 90.0), lock(40, WRITES, 30.0), lock(50, WRITES, 95.0, "oltp.checkouts")]
    server = Server([truncate, WRITER, *idle(10, 40, 50)], locks)
    assert mysql_sessions.blocker(server) == Blocker(40, "report", 2, 9.0)
    server = Server([truncate, WRITER, *idle(10, 50)], [locks[0], locks[2]])
    assert mysql_sessions.blocker(server) == Blocker(10, "report", 2, 9.0)
    # 40 itself waits for a row of 50.
    transactions = [("1", 40, 5, 30), ("2", 50, None, 90), ("3", 0, None, 99)]
    server = Server([truncate, WRITER, *idle(10, 40, 50)], locks, transactions, [("1", "2"), ("1", "9")])
    assert mysql_sessions.blocker(server) == Blocker(50, "report", 3, 9.0)


def test_who_holds_one_table_and_waits_for_another_passes_its_queue_on() -> None:
    both = says(20, "LOCK TABLES orders WRITE, checkouts WRITE")
    locks = [lock(20, OUT, 9.0), lock(40, WRITES, 30.0, "oltp.checkouts")]
    assert mysql_sessions.blocker(Server([both, WRITER, *idle(40)], locks)) == Blocker(40, "report", 2, 9.0)


def test_who_waits_for_whatever_else_is_not_told() -> None:
    held = [lock(10, OUT, 10.0)]
    waits = [(10, "report", None, state, 5.0, "") for state in ("User lock", "Waiting for schema metadata lock")]
    for one in waits:
        assert mysql_sessions.blocker(Server([READER, one], held)) is None
    rows, transactions = [("1", "2")], [("1", 30, 5, 30), ("2", 20, None, 90)]
    assert mysql_sessions.blocker(Server([READER, *idle(30)], [], transactions, rows, shown=False)) is None


def test_a_transaction_without_a_number_of_its_own_is_not_told() -> None:
    transactions = [("0", 10, None, 30), ("7", 20, 9, 9), ("0", 50, None, 90)]
    assert mysql_sessions.blocker(Server(idle(10, 20, 50), [], transactions, [("7", "0")])) is None


def test_who_keeps_all_writers_out_is_told_also_where_nothing_tells_since_when() -> None:
    writer = says(20, "UPDATE orders SET version = 1", state=BACKUP_LOCK)
    locks = [
        (10, "Backup lock", "MDL_BACKUP_WAIT_COMMIT", None, "", ""),
        other(40, "Backup lock", "MDL_BACKUP_DML", 90.0),
    ]
    assert mysql_sessions.blocker(Server([writer, *idle(10, 40)], locks)) == Blocker(10, "report", 1, 9.0)
    assert mysql_sessions.blocker(Server([writer, *idle(10, 40)], locks, shown=False)) is None


def test_a_repair_of_lakeproof_is_told_to_be_one() -> None:
    locks = [lock(10, OUT, math.inf), other(10, "User lock", "MDL_SHARED_NO_WRITE", 9.0, "lakeproof 10")]
    assert mysql_sessions.blocker(Server([READER, *idle(10)], locks)) == Blocker(10, "report", 1, 9.0, ours=True)


def test_who_waits_in_postgresql_behind_the_first_that_waits_for_a_row_counts_as_well() -> None:
    def ask(statement: str, *_: object) -> list[tuple[Any, ...]]:
        if statement == postgres_sessions._WAITS:
            return [(20, 9.0, [10]), (30, 8.0, [20]), (40, 1.0, [20, 30]), (50, 7.0, [0])]
        return [(10, "report", 60.0, False), *((number, "payment", 9.0, False) for number in (20, 30, 40, 50, 60))]

    assert postgres_sessions.blocker(ask) == Blocker(10, "report", 3, 9.0)
    assert postgres_sessions.blocker(lambda *_: []) is None
