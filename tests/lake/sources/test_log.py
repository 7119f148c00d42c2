"""MariaDB's log is set right: what is set, whose sessions end, and what only a start of the server can do."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lakeproof.errors import TerminalError
from lakeproof.lake.capture.connector import find_connector
from lakeproof.lake.sources import mariadb
from lakeproof.stack.stack import Stack

ORDERS = find_connector("orders")


class Server:
    """lacks: what it tells of its settings. done: what was executed, and whose sessions ended."""

    def __init__(self) -> None:
        self.lacks: list[str] = []
        self.done: list[str] = []

    def execute(self, statement: str) -> None:
        self.done.append(statement)

    def end(self, cursor: object, stack: Stack, user: str) -> int:
        self.done.append(f"{user} out")
        return 2


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()

    @contextmanager
    def unlogged(stack: Stack) -> Iterator[Server]:
        yield made

    monkeypatch.setattr(mariadb, "_unlogged", unlogged)
    monkeypatch.setattr(mariadb, "_end_connections", made.end)
    monkeypatch.setattr(mariadb, "log_lacks", lambda *_: made.lacks)
    return made


def test_what_is_wrong_is_set_and_those_who_write_begin_anew(stack: Stack, server: Server) -> None:
    """The capture's own session writes nothing, and nobody who only reads is disturbed."""
    server.lacks = ["binlog_format=MIXED", "binlog_row_value_options=PARTIAL_JSON"]
    assert mariadb.restore_log(stack, ORDERS) == 4
    assert server.done == [
        "SET GLOBAL binlog_format = 'ROW'",
        "SET GLOBAL binlog_row_value_options = ''",
        "order_service out",
        "ticker out",
    ]


def test_a_run_that_was_cut_off_before_the_sessions_ended_is_finished(stack: Stack, server: Server) -> None:
    assert mariadb.restore_log(stack, ORDERS) == 4
    assert server.done == ["order_service out", "ticker out"]


def test_a_server_that_writes_no_binlog_needs_a_start_and_nothing_is_touched(stack: Stack, server: Server) -> None:
    server.lacks = ["log_bin=OFF", "binlog_format=MIXED"]
    with pytest.raises(TerminalError, match="it writes no binlog"):
        mariadb.restore_log(stack, ORDERS)
    assert server.done == []
