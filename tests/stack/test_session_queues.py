"""Who keeps others waiting in a database, from what the server lists."""

from typing import Any

from lakeproof.stack.engines import postgres_sessions
from lakeproof.stack.engines.mysql_sessions import table_blocker_of
from lakeproof.stack.engines.sessions import Blocker, blocker_of

# Transaction, its session, the seconds that it waits.
TRANSACTIONS = [("1", 10, None), ("2", 20, 9), ("3", 30, 4), ("4", 40, 1), ("5", 50, None), ("6", 60, 7)]
USERS = {10: "root", 20: "report", 30: "report", 40: "order_service", 50: "report", 60: "report"}


def test_the_session_that_waits_for_nobody_and_that_most_wait_for_is_told() -> None:
    # 3 waits for 1 and for 2, which itself waits for 1; 4 has waited for a moment only, and will for longer.
    waits = [("2", "1"), ("3", "1"), ("3", "2"), ("4", "1"), ("6", "5")]
    assert blocker_of(waits, TRANSACTIONS, USERS) == Blocker(10, "root", 3, 9.0)


def test_who_waits_behind_another_that_waits_waits_for_the_first_of_the_queue() -> None:
    assert blocker_of([("2", "3"), ("3", "1"), ("6", "2")], TRANSACTIONS, USERS) == Blocker(10, "root", 3, 9.0)


def test_nobody_blocks_where_all_waits_are_short_or_over() -> None:
    assert blocker_of([("4", "1")], TRANSACTIONS, USERS) is None
    assert blocker_of([("2", "gone"), ("gone", "1")], TRANSACTIONS, USERS) is None
    assert blocker_of([], TRANSACTIONS, USERS) is None


def test_who_keeps_others_out_of_a_table_is_told_however_many_use_it() -> None:
    waits = [(20, 9.5), (30, 2.0), (40, 0.5)]
    locks = [
        (10, "MDL_BACKUP_DDL", 12.0, "", ""),
        (10, "MDL_SHARED_NO_READ_WRITE", 10.0, "oltp", "orders"),
        (50, "MDL_SHARED_READ", 60.0, "oltp", "orders"),
    ]
    assert table_blocker_of(waits, locks, USERS) == Blocker(10, "root", 3, 9.5)


def test_behind_a_statement_that_waits_who_has_used_its_table_for_the_longest_is_told() -> None:
    waits = [(20, 9.0), (30, 8.0)]
    locks = [
        (20, "MDL_SHARED_UPGRADABLE", 9.0, "oltp", "orders"),
        (20, "MDL_BACKUP_ALTER_COPY", 9.0, "", ""),
        (10, "MDL_SHARED_READ", 10.0, "oltp", "orders"),
        (40, "MDL_SHARED_WRITE", 30.0, "oltp", "orders"),
        (50, "MDL_SHARED_WRITE", 90.0, "oltp", "checkouts"),
    ]
    assert table_blocker_of(waits, locks, USERS) == Blocker(40, "order_service", 2, 9.0)


def test_nobody_holds_a_table_where_waits_are_short_or_the_holder_is_gone() -> None:
    lock = (10, "MDL_EXCLUSIVE", 1.9, "oltp", "orders")
    assert table_blocker_of([(20, 1.9)], [lock], USERS) is None
    assert table_blocker_of([(20, 9.0)], [(20, "MDL_SHARED_UPGRADABLE", 9.0, "oltp", "orders")], USERS) is None
    assert table_blocker_of([(20, 9.0)], [], USERS) is None


def test_who_waits_in_postgresql_behind_the_first_that_waits_for_a_row_counts_as_well() -> None:
    def ask(statement: str, *_: object) -> list[tuple[Any, ...]]:
        if "pg_blocking_pids" in statement:
            return [(20, 9.0, [10]), (30, 8.0, [20]), (40, 1.0, [20, 30]), (50, 7.0, [0])]
        return [(10, "report"), (20, "payment"), (30, "payment"), (40, "payment"), (50, "payment"), (60, None)]

    assert postgres_sessions.blocker(ask) == Blocker(10, "report", 3, 9.0)
    assert postgres_sessions.blocker(lambda *_: []) is None
