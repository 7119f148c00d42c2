"""A connector whose live configuration is not its file's: what is told of it, and what it is given back."""

from collections.abc import Mapping

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import missed, restoring
from lakeproof.lake.capture.connector import find_connector, render
from lakeproof.lake.capture.registered import as_registered, changed_keys, remember
from lakeproof.lake.capture.restoring import require_unchanged, restore
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.stack import Stack

CONNECTOR = find_connector("orders")


class Connect:
    """Its one configuration. put: what it was given, in turn."""

    def __init__(self, config: Mapping[str, str] | None) -> None:
        self.config = config
        self.put: list[Mapping[str, str]] = []

    def send(self, stack: Stack, method: str, path: str, *, body: Mapping[str, str], **_: float) -> None:
        assert (method, path) == ("PUT", "/connectors/orders/config")
        self.config = body
        self.put.append(body)


@pytest.fixture
def connect(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Connect, with the connector as its file has it."""
    made = Connect(render(stack, CONNECTOR) | {"name": "orders"})
    monkeypatch.setattr(restoring, "live_config", lambda *_: made.config)
    monkeypatch.setattr(restoring, "send", made.send)
    return made


CHANGES = [
    ({"table.include.list": "oltp.orders"}, ["table.include.list"]),
    ({"skipped.operations": "u"}, ["skipped.operations"]),
    ({"provide.transaction.metadata": "false"}, ["provide.transaction.metadata"]),
    ({"database.server.id": "7", "poll.interval.ms": "500"}, []),
    ({"max.queue.size.in.bytes": "9", "producer.override.linger.ms": "5"}, []),
    (
        {"database.server.id": "7", "skipped.operations": "u", "max.batch.size.of": "1"},
        ["max.batch.size.of", "skipped.operations"],
    ),
    ({"producer.override.acks": "0", "xmax.batch.size": "9"}, ["producer.override.acks", "xmax.batch.size"]),
    ({"transforms": "envelope,one", "name": "another"}, ["transforms"]),
    ({"errors.log.enable": "true", "connect.keep.alive.interval.ms": "9", "heartbeat.interval.ms": "7"}, []),
    (
        {"errors.tolerance": "all", "database.connectionTimeZone": "UTC"},
        ["database.connectionTimeZone", "errors.tolerance"],
    ),
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
    assert missed.is_noted(stack, OLTP, missed.BY_CONNECTOR) is bool(told)
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


def test_a_file_that_is_newer_is_no_change_and_is_not_registered_by_the_way(stack: Stack, connect: Connect) -> None:
    """Its new table may have no reader yet: its rows would be passed over, and would not come again."""
    before = render(stack, CONNECTOR)
    remember(stack, CONNECTOR, before)
    newer = CONNECTOR.model_copy(update={"tables": (*CONNECTOR.tables, "coupons")})
    assert changed_keys(before, as_registered(stack, newer)) == []
    connect.config = before | {"skipped.operations": "u"}
    restore(stack, newer)
    assert connect.put == [before]


@pytest.mark.parametrize("by", ["configuration", "mark"])
def test_a_bridge_that_leaves_to_the_job_what_it_holds_is_refused(stack: Stack, connect: Connect, by: str) -> None:
    require_unchanged(stack, CONNECTOR)
    if by == "mark":
        missed.note(stack, OLTP, missed.BY_CONNECTOR)
    else:
        connect.config = {**dict(connect.config or {}), "transforms.one.regex": "x"}
    with pytest.raises(InvalidInput) as refused:
        require_unchanged(stack, CONNECTOR)
    assert "bridge_topic_gap" in str(refused.value.next_action)
    connect.config = None
    missed.is_brought(stack, OLTP)
    require_unchanged(stack, CONNECTOR)


def test_the_order_of_the_tables_says_nothing(stack: Stack) -> None:
    file = render(stack, CONNECTOR)
    turned = ", ".join(reversed(file["table.include.list"].split(",")))
    assert changed_keys(file | {"table.include.list": turned}, file) == []
