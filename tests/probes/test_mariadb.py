"""Privileges as SHOW GRANTS tells them, and who follows the binlog."""

from pathlib import Path

import pytest

from lakeproof.probes import mariadb
from lakeproof.probes.mariadb import CAPTURE_PRIVILEGES, missing_in
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

WHOLE = "GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR"


def test_nothing_is_missing_of_the_whole_grant() -> None:
    assert missing_in((f"{WHOLE} ON *.* TO `cdc`@`%` IDENTIFIED BY PASSWORD '*x'",)) == ()


def test_a_revoked_privilege_is_missing() -> None:
    line = f"{WHOLE.replace('REPLICATION SLAVE, ', '')} ON *.* TO `cdc`@`%`"
    assert missing_in((line,)) == ("REPLICATION SLAVE",)


def test_a_privilege_on_one_table_is_not_a_global_one() -> None:
    assert set(
        missing_in(("GRANT USAGE ON *.* TO `cdc`@`%`", "GRANT SELECT ON `oltp`.`orders` TO `cdc`@`%`"))
    ) == set(CAPTURE_PRIVILEGES)


def test_a_reader_of_the_binlog_counts_also_by_the_captures_own_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack, sessions = Stack(Settings(state_dir=tmp_path)), [("report",), ("cdc",)]
    monkeypatch.setattr(mariadb, "select", lambda *_: sessions)
    assert mariadb.binlog_readers(stack, 1.0) == "cdc report"
    sessions.clear()
    assert mariadb.binlog_readers(stack, 1.0) == "none"
