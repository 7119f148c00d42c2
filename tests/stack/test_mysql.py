"""MariaDB as a component, without running it."""

import tempfile
from pathlib import Path

import pytest

from lakeproof.errors import NotReady
from lakeproof.provisioning.mysql import schema_statements
from lakeproof.stack.engines import mysql, mysql_accounts
from lakeproof.stack.own_folder import MAX_SOCKET_PATH
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def make_stack(state_dir: Path, port_shift: int = 0) -> Stack:
    return Stack(Settings(name="t", state_dir=state_dir, port_shift=port_shift))


def test_an_acknowledged_commit_is_on_disk_and_in_the_binlog(tmp_path: Path) -> None:
    lines = mysql.my_cnf(make_stack(tmp_path), tmp_path / "db").splitlines()
    for line in ("innodb_flush_log_at_trx_commit=1", "sync_binlog=1", "binlog_format=ROW", "bind-address=127.0.0.1"):
        assert line in lines


def test_the_binlog_is_kept_for_at_least_a_day() -> None:
    assert mysql.BINLOG_KEPT_SECONDS >= 86_400


def test_the_binlog_is_purged_while_no_connector_reads_it(tmp_path: Path) -> None:
    lines = mysql.my_cnf(make_stack(tmp_path), tmp_path / "db").splitlines()
    assert "loose-slave_connections_needed_for_purge=0" in lines


def test_the_socket_moves_where_its_path_would_be_too_long() -> None:
    short = mysql.socket_path(make_stack(Path("/tmp/s")))
    long = mysql.socket_path(make_stack(Path("/tmp") / ("x" * 90)))
    assert short == Path("/tmp/s/data/mysql/run/mysql.sock")
    assert len(str(long)) <= MAX_SOCKET_PATH
    assert long != mysql.socket_path(make_stack(Path("/tmp") / ("y" * 90)))


def test_every_command_means_the_servers_socket_whatever_its_temporary_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make_stack(Path("/tmp") / ("x" * 90))
    before = mysql.socket_path(stack)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert mysql.socket_path(stack) == before


def test_no_secret_is_in_the_command_or_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "program", lambda name: f"/usr/sbin/{name}")
    stack = make_stack(tmp_path)
    text = " ".join(mysql.command(stack).argv) + mysql.my_cnf(stack, tmp_path)
    assert stack.secret("mysql-root") not in text


def test_the_schema_file_splits_into_whole_statements() -> None:
    statements = schema_statements()
    assert statements[0].startswith("CREATE DATABASE IF NOT EXISTS oltp")
    assert all(statement.startswith(("CREATE", "INSERT IGNORE")) for statement in statements)
    assert any("cdc_heartbeat" in statement for statement in statements)


def test_an_existing_password_is_never_changed_by_the_accounts_statements() -> None:
    made = list(mysql_accounts.statements(lambda name: f"<{name}>"))
    creating = [statement for statement in made if "IDENTIFIED BY" in statement]
    assert len(creating) == len(mysql_accounts.ACCOUNTS)
    assert all(statement.startswith("CREATE USER IF NOT EXISTS") for statement in creating)


def test_the_capture_account_cannot_write() -> None:
    (cdc,) = [account for account in mysql_accounts.ACCOUNTS if account.user == "cdc"]
    words = {word.strip() for privileges, _ in cdc.grants for word in privileges.split(",")}
    assert not words & {"INSERT", "UPDATE", "DELETE", "ALL PRIVILEGES", "SUPER"}


def test_a_server_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(NotReady):
        mysql.ready(make_stack(tmp_path, port_shift=45_999), 1.0)
