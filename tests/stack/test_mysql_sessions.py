"""Who keeps others waiting in MariaDB, from its three lists."""

from lakeproof.stack.engines.mysql_sessions import blocker_of
from lakeproof.stack.engines.sessions import Blocker

# Transaction, its session, the seconds that it waits.
TRANSACTIONS = [("1", 10, None), ("2", 20, 9), ("3", 30, 4), ("4", 40, 1), ("5", 50, None), ("6", 60, 7)]
USERS = {10: "root", 20: "report", 30: "report", 40: "order_service", 50: "report", 60: "report"}


def test_the_session_that_waits_for_nobody_and_that_most_wait_for_is_told() -> None:
    # 3 waits for 1 and for 2, which itself waits for 1; 4 has waited for a moment only.
    waits = [("2", "1"), ("3", "1"), ("3", "2"), ("4", "1"), ("6", "5")]
    assert blocker_of(waits, TRANSACTIONS, USERS) == Blocker(10, "root", 2, 9.0)


def test_who_waits_behind_another_that_waits_waits_for_the_first_of_the_queue() -> None:
    assert blocker_of([("2", "3"), ("3", "1"), ("6", "2")], TRANSACTIONS, USERS) == Blocker(10, "root", 3, 9.0)


def test_nobody_blocks_where_all_waits_are_short_or_over() -> None:
    assert blocker_of([("4", "1")], TRANSACTIONS, USERS) is None
    assert blocker_of([("2", "gone"), ("gone", "1")], TRANSACTIONS, USERS) is None
    assert blocker_of([], TRANSACTIONS, USERS) is None
