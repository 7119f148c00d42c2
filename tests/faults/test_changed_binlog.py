"""MariaDB's binlog is written otherwise than the capture needs, and what is taken back of it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lakeproof.lake.capture import gap, missed
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connector_failure import faults
from lakeproof_shop.scenarios.connector_failure.faults import ChangedBinlog

IMAGE, FORMAT = ChangedBinlog(), ChangedBinlog(setting="binlog_format")


class Server:
    """Its settings that are not as the capture needs them; did: what was done to it, in turn."""

    def __init__(self) -> None:
        self.lacks: list[str] = []
        self.did: list[str] = []

    def execute(self, statement: str) -> None:
        name, _, value = statement.removeprefix("SET GLOBAL ").partition(" = ")
        self.lacks.append(f"{name}={value.strip("'")}")

    def restore(self, *_: object) -> int:
        self.lacks.clear()
        self.did.append("set right")
        return 3


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()

    @contextmanager
    def as_root(*_: object) -> Iterator[Server]:
        yield made

    monkeypatch.setattr(mariadb, "as_root", as_root)
    monkeypatch.setattr(mariadb, "end_connections", lambda _, user: made.did.append(f"{user} out"))
    monkeypatch.setattr(mariadb, "log_lacks", lambda *_: list(made.lacks))
    monkeypatch.setattr(mariadb, "restore_log", made.restore)
    monkeypatch.setattr(gap, "bridge", lambda _, name: made.did.append(f"bridged {name}"))
    monkeypatch.setattr(faults, "task_failure", lambda *_: "none")
    return made


@pytest.mark.parametrize("arguments", [IMAGE, FORMAT])
def test_its_sign_is_that_setting_and_who_writes_gets_new_sessions(
    stack: Stack, server: Server, arguments: ChangedBinlog
) -> None:
    assert not arguments.sign(stack).holds
    arguments.inject(stack)
    assert server.did == ["order_service out"]
    assert arguments.sign(stack).holds
    other = FORMAT if arguments is IMAGE else IMAGE
    assert not other.sign(stack).holds


def test_taken_back_it_brings_what_cannot_be_read(
    stack: Stack, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where somebody has set it right since, and the task still stands before a part of a row."""
    IMAGE.inject(stack)
    IMAGE.remove(stack)
    assert server.did[1:] == ["set right", "bridged orders"]
    server.did.clear()
    IMAGE.remove(stack)
    assert server.did == ["set right"]
    missed.note(stack, OLTP, missed.BY_LOG)
    server.did.clear()
    IMAGE.remove(stack)
    assert server.did == ["set right", "bridged orders"]
    missed.is_brought(stack, OLTP)
    server.did[:] = ["before"]
    monkeypatch.setattr(faults, "task_failure", lambda *_: "partial rows")
    IMAGE.remove(stack)
    assert server.did[1:] == ["set right", "bridged orders"]
