"""A connector whose live configuration is not its file's: what is told of it, and what it is given back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import restoring
from lakeproof.lake.capture.connector import find_connector, render
from lakeproof.lake.capture.restoring import changed_keys, restore
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

CONNECTOR = find_connector("orders")


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(Settings(state_dir=tmp_path))


class Connect:
    """Its one configuration. put: what it was given, in turn."""

    def __init__(self, config: Mapping[str, str] | None) -> None:
        self.config = config
        self.put: list[Mapping[str, str]] = []

    def send(self, stack: Stack, method: str, path: str, *, body: Mapping[str, str]) -> None:
        assert (method, path) == ("PUT", "/connectors/orders/config")
        self.config = body
        self.put.append(body)


@pytest.fixture
def connect(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Connect, with the connector as its file has it; every table has its reader."""
    made = Connect(render(stack, CONNECTOR) | {"name": "orders"})
    monkeypatch.setattr(restoring, "live_config", lambda *_: made.config)
    monkeypatch.setattr(restoring, "send", made.send)
    monkeypatch.setattr(restoring, "require_readers", lambda *_: None)
    return made


CHANGES = [
    ({"table.include.list": "oltp.orders"}, ["table.include.list"]),
    ({"skipped.operations": "u"}, ["skipped.operations"]),
    ({"provide.transaction.metadata": "false"}, ["provide.transaction.metadata"]),
    ({"database.server.id": "7", "poll.interval.ms": "500"}, []),
    ({"max.queue.size.in.bytes": "9", "producer.override.linger.ms": "5"}, []),
    ({"producer.override.acks": "0", "xmax.batch.size": "9"}, ["producer.override.acks", "xmax.batch.size"]),
    ({"transforms": "envelope,one", "name": "another"}, ["transforms"]),
]


@pytest.mark.parametrize(("changes", "told"), CHANGES)
def test_what_decides_what_is_delivered_is_told_and_given_back(
    stack: Stack, connect: Connect, changes: dict[str, str], told: list[str]
) -> None:
    """How fast it reads, and by which id (take_free_server_id), is a person's own."""
    file, live = render(stack, CONNECTOR), {**dict(connect.config or {}), **changes}
    assert changed_keys(live, file) == told
    connect.config = live
    restore(stack, CONNECTOR)
    restore(stack, CONNECTOR)
    assert len(connect.put) == (1 if told else 0)
    assert changed_keys(connect.config or {}, file) == []
    free = {key: value for key, value in changes.items() if key not in (*told, "name")}
    assert {key: (connect.config or {})[key] for key in free} == free


def test_a_key_that_is_gone_is_told(stack: Stack) -> None:
    file = render(stack, CONNECTOR)
    assert changed_keys({key: file[key] for key in file if key != "transforms"}, file) == ["transforms"]


def test_nothing_is_given_to_a_connector_that_is_not_there(stack: Stack, connect: Connect) -> None:
    connect.config = None
    restore(stack, CONNECTOR)
    assert connect.put == []


def test_a_table_that_the_job_does_not_read_yet_is_not_captured_by_the_way(
    stack: Stack, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows would be passed over, and would not come again."""

    def refuse(*_: Any) -> None:
        raise InvalidInput("the lake's running job does not read it")

    monkeypatch.setattr(restoring, "require_readers", refuse)
    restore(stack, CONNECTOR)
    connect.config = {**dict(connect.config or {}), "table.include.list": "oltp.orders"}
    with pytest.raises(InvalidInput):
        restore(stack, CONNECTOR)
    assert connect.put == []
