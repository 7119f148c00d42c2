"""Who holds a server's sessions, and the statements that limit an account."""

import pytest

from lakeproof.stack.database_sessions import ENGINES, UNLIMITED, Held, Server, Sessions, limit_statement

LEAK = Sessions(200, {"report": Held(150, 149), "order_service": Held(10, 10), "cdc": Held(1, 0)})


def test_the_account_with_the_most_idle_sessions_is_told_with_its_share() -> None:
    assert (LEAK.total, LEAK.percent, LEAK.idlest, LEAK.idle_percent) == (161, 80.5, "report", 74.5)
    assert LEAK.leaking == "report"


def test_a_large_pool_is_no_leak_nor_is_an_account_that_works() -> None:
    assert Sessions(200, {"order_service": Held(100, 100)}).leaking is None
    assert Sessions(200, {"order_service": Held(200, 3)}).leaking is None


def test_a_server_with_nobody_in_it_and_one_with_the_administrators_own() -> None:
    nobody = Sessions(200, {})
    assert (nobody.percent, nobody.idlest, nobody.idle_percent, nobody.leaking) == (0.0, None, 0.0, None)
    assert Sessions(200, {"report": Held(201, 201)}).percent == 100.0


@pytest.mark.parametrize(
    ("server", "sessions", "statement"),
    [
        ("mysql", 10, "ALTER USER 'report'@'%' WITH MAX_USER_CONNECTIONS 10"),
        ("mysql", UNLIMITED, "ALTER USER 'report'@'%' WITH MAX_USER_CONNECTIONS 0"),
        ("postgres", 10, 'ALTER ROLE "report" CONNECTION LIMIT 10'),
        ("postgres", UNLIMITED, 'ALTER ROLE "report" CONNECTION LIMIT -1'),
    ],
)
def test_an_account_is_limited_in_the_servers_own_words(server: str, sessions: int, statement: str) -> None:
    assert limit_statement("mysql" if server == "mysql" else "postgres", "report", sessions) == statement


@pytest.mark.parametrize(
    ("server", "account", "limited", "named"),
    [
        ("postgres", "Report", 'ALTER ROLE "Report" CONNECTION', "usename = 'Report'"),
        ("postgres", "bi-reader", 'ALTER ROLE "bi-reader" CONNECTION', "usename = 'bi-reader'"),
        ("postgres", "a\"b'c\\d", 'ALTER ROLE "a""b\'c\\d" CONNECTION', "usename = 'a\"b''c\\d'"),
        ("mysql", "bi-reader", "ALTER USER 'bi-reader'@'%' WITH", "user = 'bi-reader'"),
        ("mysql", "a\"b'c\\d", "ALTER USER 'a\"b''c\\\\d'@'%' WITH", "user = 'a\"b''c\\\\d'"),
    ],
)
def test_an_account_of_any_name_is_the_one_that_is_limited_and_ended(
    server: Server, account: str, limited: str, named: str
) -> None:
    assert limit_statement(server, account, 10).startswith(limited)
    assert named in ENGINES[server].ending_idle(account)
