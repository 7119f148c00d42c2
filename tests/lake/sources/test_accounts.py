"""Accounts of the captured databases: what is granted to whom, whose connections end, and under which name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.doubles.plugins import OURS

from lakeproof.arguments import parse_arguments
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.lake.sources import mariadb, postgres
from lakeproof.lake.sources.source import SHOP, SOURCES, Source
from lakeproof.mitigations.mitigation import all_mitigations
from lakeproof.probes import postgres as postgres_probes
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connector_failure import repairs

WHOLE = "SELECT, RELOAD, REPLICATION SLAVE"


class MariaDB:
    """Its accounts' privileges and connections, and what was executed."""

    def __init__(self) -> None:
        self.granted = {"'cdc'@'%'": "SELECT", "'debezium'@'%'": "SELECT"}
        self.done: list[str] = []
        self._rows: list[tuple[Any, ...]] = []

    def execute(self, statement: str, values: tuple[Any, ...] = ()) -> None:
        words = statement.split()
        self._rows = []
        if statement.startswith("SHOW GRANTS FOR"):
            self._rows = [(self.granted[words[-1]],)]
        elif words[0] == "GRANT":
            self.granted[words[-1]] = WHOLE
        elif "processlist" in statement:
            self._rows = {("cdc",): [(7,), (8,)], ("debezium",): [(9,)]}.get(values, [(10,)])
        if words[0] in ("GRANT", "KILL", "ALTER"):
            self.done.append(" ".join([statement, *map(str, values)]))

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self._rows


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> MariaDB:
    made = MariaDB()

    @contextmanager
    def session(stack: Stack) -> Iterator[MariaDB]:
        yield made

    monkeypatch.setattr(mariadb, "_unlogged", session)
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What PostgreSQL's superuser was asked."""
    made: list[tuple[object, ...]] = []

    def as_root(stack: Stack, *words: object) -> list[tuple[Any, ...]]:
        made.append(words)
        return []

    monkeypatch.setattr(postgres, "_as_root", as_root)
    return made


@pytest.fixture
def theirs(tmp_path: Path) -> Stack:
    """Servers of somebody else's, whose capture logs in under another name."""
    secrets = {"mysql-cdc": "m", "postgres-cdc": "p"}
    accounts = {"mysql-cdc": "debezium", "postgres-cdc": "CDC-reader"}
    return Stack(Settings(mode="external", state_dir=tmp_path, secrets=secrets, accounts=accounts))


@pytest.fixture
def connector(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What Connect and the exporter say of a capture: its task's state, and the milliseconds that it is behind."""
    made = SimpleNamespace(state="FAILED", lag=None)
    monkeypatch.setattr(repairs, "task_state", lambda *_: made.state)
    monkeypatch.setattr(repairs, "source_lag", lambda *_: made.lag)
    return made


def step(stack: Stack, name: str, way: str, **arguments: str) -> str:
    found = parse_arguments(all_mitigations(OURS)[name], arguments, name)
    return str(getattr(found, way)(stack))


def test_connections_end_only_where_a_privilege_was_missing(server: MariaDB, stack: Stack) -> None:
    assert step(stack, "restore_grant", "run").endswith("has all its privileges; 2 connections ended")
    assert server.done[-2:] == ["KILL CONNECTION 7", "KILL CONNECTION 8"]
    server.done.clear()
    assert step(stack, "restore_grant", "run").endswith("has all its privileges; 0 connections ended")
    assert not any(statement.startswith("KILL") for statement in server.done)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
@pytest.mark.parametrize("way", ["typed", "run"])
def test_an_account_of_which_nothing_is_known_is_refused_and_keeps_its_connections(
    source: Source, way: str, server: MariaDB, asked: list[tuple[object, ...]], stack: Stack
) -> None:
    """All of its sessions ended, and it was said to have all its privileges."""
    with pytest.raises(InvalidInput, match=r"shop_app: nothing is known .*leave user out"):
        step(stack, "restore_grant", way, user="shop_app", database=source.name)
    assert server.done == [] and asked == []


def test_the_captures_account_has_its_configured_name_in_mariadb(
    server: MariaDB, theirs: Stack, connector: SimpleNamespace
) -> None:
    assert "TO 'debezium'@'%'" in step(theirs, "restore_grant", "typed")
    assert step(theirs, "restore_password", "typed").startswith("ALTER USER 'debezium'@'%'")
    wanted = "account debezium of oltp has all its privileges; 1 connections ended"
    assert step(theirs, "restore_grant", "run") == wanted
    assert step(theirs, "restore_password", "run").startswith("account debezium of oltp has")
    assert server.done[1:] == ["KILL CONNECTION 9", "ALTER USER %s@%s IDENTIFIED BY %s debezium % m"]
    assert "'debezium'@'%'" in server.done[0] and server.granted["'cdc'@'%'"] == "SELECT"


def test_the_captures_account_has_its_configured_name_in_postgresql(
    asked: list[tuple[object, ...]], theirs: Stack, connector: SimpleNamespace
) -> None:
    """Unquoted, the name would be folded to lower case."""
    assert step(theirs, "restore_grant", "typed", database="shop").startswith('ALTER ROLE "CDC-reader" LOGIN REPL')
    assert step(theirs, "restore_grant", "run", database="shop").startswith("account CDC-reader of shop has all")
    assert asked[-1] == ('GRANT pg_read_all_data TO "CDC-reader"',)
    assert step(theirs, "restore_password", "run", database="shop").startswith("account CDC-reader of shop has the")
    assert asked[-1] == ("ALTER ROLE \"CDC-reader\" LOGIN PASSWORD 'p'",)
    postgres.end_connections(theirs, "cdc")
    assert "CDC-reader" in asked.pop()


def test_a_running_capture_of_somebody_elses_is_not_locked_out_by_an_old_password_of_ours(
    server: MariaDB, stack: Stack, theirs: Stack, connector: SimpleNamespace
) -> None:
    connector.state, connector.lag = "RUNNING", 700
    with pytest.raises(TerminalError, match=r"mysql-cdc: the task of orders runs, 700 ms behind"):
        step(theirs, "restore_password", "run")
    assert server.done == []
    step(stack, "restore_password", "run")  # this stack's own Connect has the same password as we
    # Debezium calls itself RUNNING for a minute and more while its login is rejected.
    connector.lag = 12_000
    step(theirs, "restore_password", "run")
    assert len(server.done) == 2


def test_the_privileges_of_the_configured_name_are_counted(theirs: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def read(stack: Stack, sql: str, *values: object, **_: object) -> list[tuple[int]]:
        asked.extend(values)
        return [(0,)]

    monkeypatch.setattr(postgres_probes, "read_rows", read)
    assert postgres_probes.missing_privileges(theirs, 1.0, SHOP) == 0
    assert asked[0] == "CDC-reader"
