"""PostgreSQL as a component, without running it."""

from pathlib import Path

import pytest

from lakeproof.errors import MissingArtifact, NotReady, TerminalError
from lakeproof.lake.capture.connector import find_connector
from lakeproof.stack.engines import (
    postgres,
    postgres_accounts,
    postgres_config,
    postgres_exporter,
)
from lakeproof.stack.own_folder import MAX_SOCKET_PATH
from lakeproof.stack.secrets import NAMES
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def make_stack(state_dir: Path, port_shift: int = 0) -> Stack:
    return Stack(Settings(name="t", state_dir=state_dir, port_shift=port_shift))


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Debian's folder of versions, empty; nothing of PostgreSQL on PATH."""
    folder = tmp_path / "versions"
    folder.mkdir()
    monkeypatch.setattr(postgres, "VERSIONS", folder)
    monkeypatch.setenv("PATH", str(tmp_path))
    return folder


def install(versions: Path, version: str) -> Path:
    programs = versions / version / "bin"
    programs.mkdir(parents=True)
    (programs / "postgres").touch()
    return programs


def test_an_acknowledged_commit_is_on_disk_and_in_a_logical_wal(tmp_path: Path) -> None:
    lines = postgres_config.postgresql_conf(make_stack(tmp_path), tmp_path / "db").splitlines()
    for line in ("fsync = on", "synchronous_commit = on", "wal_level = logical", "listen_addresses = '127.0.0.1'"):
        assert line in lines


def test_no_slot_may_grow_without_bound(tmp_path: Path) -> None:
    assert "max_slot_wal_keep_size = 512MB" in postgres_config.postgresql_conf(make_stack(tmp_path), tmp_path)


def test_nobody_is_let_in_without_a_password() -> None:
    entries = [line.split() for line in postgres_config.PG_HBA.splitlines()]
    assert entries and all(entry[-1] == "scram-sha-256" for entry in entries)
    assert all("replication" not in entry for entry in entries)


def test_the_socket_moves_where_its_path_would_be_too_long() -> None:
    short = postgres_config.socket_folder(make_stack(Path("/tmp/s")))
    long = postgres_config.socket_folder(make_stack(Path("/tmp") / ("x" * 90)))
    assert short == Path("/tmp/s/data/postgres/run")
    assert len(str(long / ".s.PGSQL.65535")) <= MAX_SOCKET_PATH
    assert long != postgres_config.socket_folder(make_stack(Path("/tmp") / ("y" * 90)))


def test_new_data_are_made_by_the_newest_version(versions: Path, tmp_path: Path) -> None:
    install(versions, "9.6")
    newest = install(versions, "17")
    install(versions, "15")
    assert postgres.programs(tmp_path / "db") == newest


def test_old_data_are_run_by_the_version_that_made_them(versions: Path, tmp_path: Path) -> None:
    older = install(versions, "15")
    install(versions, "17")
    (tmp_path / "db").mkdir()
    (tmp_path / "db/PG_VERSION").write_text("15\n")
    assert postgres.programs(tmp_path / "db") == older


def test_data_of_a_version_that_is_gone_are_not_touched(versions: Path, tmp_path: Path) -> None:
    install(versions, "17")
    (tmp_path / "db").mkdir()
    (tmp_path / "db/PG_VERSION").write_text("15\n")
    with pytest.raises(TerminalError, match=r"of PostgreSQL 15, and this machine has 17.*postgresql-15"):
        postgres.programs(tmp_path / "db")


def test_a_machine_without_postgresql_is_told_what_is_missing(versions: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingArtifact, match="postgresql"):
        postgres.programs(tmp_path / "db")


def test_no_secret_is_in_a_command_or_in_the_configuration(
    versions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(versions, "15")
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/bin/{name}")
    stack = make_stack(tmp_path)
    exporter = postgres_exporter.command(stack)
    text = " ".join(
        (
            *postgres.command(stack).argv,
            *exporter.argv,
            *exporter.env.values(),
            postgres_config.postgresql_conf(stack, tmp_path),
            postgres_config.PG_HBA,
        )
    )
    assert not [name for name in NAMES if stack.secret(name) in text]


def test_every_account_has_a_password_of_its_own_among_the_secrets() -> None:
    wanted = [account.secret for account in postgres_accounts.ACCOUNTS]
    assert len(set(wanted)) == len(wanted)
    assert set(wanted) | {postgres_config.ROOT_SECRET} == {name for name in NAMES if name.startswith("postgres-")}


def test_an_existing_password_is_never_changed_by_the_accounts_statements() -> None:
    everybody = frozenset(account.user for account in postgres_accounts.ACCOUNTS)
    made = list(postgres_accounts.account_statements(lambda name: f"<{name}>", frozenset()))
    again = list(postgres_accounts.account_statements(lambda name: f"<{name}>", everybody))
    assert sum("PASSWORD" in statement for statement in made) == len(postgres_accounts.ACCOUNTS)
    assert again and not [statement for statement in again if "PASSWORD" in statement]


def test_nobody_but_root_is_a_superuser() -> None:
    text = " ".join(postgres_accounts.account_statements(lambda name: name, frozenset()))
    for word in ("SUPERUSER", "BYPASSRLS", "CREATEROLE", "pg_write_all_data"):
        assert word not in text


def test_every_published_table_is_one_of_the_schemas() -> None:
    tables = find_connector("shop").published
    known = {*postgres_accounts.SCHEMAS, postgres_accounts.CAPTURE_SCHEMA}
    assert {table.partition(".")[0] for table in tables} == known
    assert not [table for table in tables if table.endswith(("outbox", "_operations"))]


def test_a_server_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(NotReady):
        postgres.ready(make_stack(tmp_path, port_shift=45_999), 1.0)
