"""One key of a connector's configuration is changed, and taken back with what did not come meanwhile."""

from types import SimpleNamespace
from typing import Any

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import missed, rewriting, topic_gap
from lakeproof.lake.capture.connector import find_connector, render
from lakeproof.lake.sources.source import find_source
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.connector_failure import faults
from lakeproof_shop.scenarios.connector_failure.faults import ChangedConnector

DEFAULT = ChangedConnector()
OF_SHOP = ChangedConnector(connector="shop", key="table.include.list", value="payment.payments")


class Connect:
    """Its connectors' configurations; did: what was done to them, in turn."""

    def __init__(self, stack: Stack) -> None:
        self.configs = {name: render(stack, find_connector(name)) for name in ("orders", "shop")}
        self.did: list[str] = []
        self.twice = 7

    def bridge(self, _: Stack, name: str) -> Any:
        self.did.append(f"bridged {name}")
        return SimpleNamespace(twice=self.twice)

    def send(self, stack: Stack, method: str, path: str, *, body: dict[str, str] | None = None, **_: Any) -> None:
        self.did.append(f"{method} {path}")
        if body is not None:
            self.configs[path.split("/")[2]] = body


@pytest.fixture
def connect(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Connect:
    made = Connect(stack)
    monkeypatch.setattr(faults, "send", made.send)
    monkeypatch.setattr(faults, "await_state", lambda *_, **__: made.did.append("runs"))
    monkeypatch.setattr(faults, "live_config", lambda _, name: made.configs.get(name))
    monkeypatch.setattr(faults, "register", lambda _, name: made.did.append(f"registered {name}"))
    monkeypatch.setattr(topic_gap, "bridge", made.bridge)
    out = "second rows of {} out"
    monkeypatch.setattr(rewriting, "remove_second_rows", lambda _, source: made.did.append(out.format(source.name)))
    return made


def test_by_default_one_table_of_the_file_is_left_out(stack: Stack, connect: Connect) -> None:
    file = render(stack, find_connector("orders"))
    assert set(file["table.include.list"].split(",")) - set(DEFAULT.value.split(",")) == {"oltp.order_events"}
    assert not DEFAULT.sign(stack).holds
    DEFAULT.inject(stack)
    assert connect.configs["orders"] == file | {"table.include.list": DEFAULT.value}
    assert DEFAULT.sign(stack).holds
    DEFAULT.inject(stack)
    assert connect.did == ["PUT /connectors/orders/config", "runs", "runs"]


@pytest.mark.parametrize(
    ("arguments", "did"),
    [
        (
            DEFAULT,
            ["bridged orders", "second rows of oltp out", "registered orders", "PUT /connectors/orders/resume"],
        ),
        (OF_SHOP, ["registered shop", "PUT /connectors/shop/resume"]),
    ],
)
@pytest.mark.parametrize("registered_before", [True, False])
def test_taken_back_it_brings_what_did_not_come(
    stack: Stack, connect: Connect, arguments: ChangedConnector, did: list[str], registered_before: bool
) -> None:
    """Also where somebody has registered the connector from its file since, and so had a table read anew."""
    if registered_before:
        missed.note(stack, find_source(find_connector(arguments.connector).database), missed.BY_CONNECTOR)
    else:
        arguments.inject(stack)
    connect.did.clear()
    arguments.remove(stack)
    assert connect.did == did


def test_where_nothing_is_missing_nothing_is_compared_and_where_nothing_came_twice_no_table_is_written_anew(
    stack: Stack, connect: Connect
) -> None:
    connect.twice = 0
    DEFAULT.remove(stack)
    assert connect.did == ["registered orders", "PUT /connectors/orders/resume"]
    DEFAULT.inject(stack)
    connect.did.clear()
    DEFAULT.remove(stack)
    assert connect.did == ["bridged orders", "registered orders", "PUT /connectors/orders/resume"]


@pytest.mark.parametrize(
    ("key", "value"), [("database.server.id", "9"), ("poll.interval.ms", "9"), ("tasks.max", "1"), ("name", "x")]
)
def test_what_is_no_fault_is_refused(stack: Stack, connect: Connect, key: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        faults.ChangedConnector(key=key, value=value).inject(stack)
    connect.configs.clear()
    with pytest.raises(InvalidInput, match="no such connector"):
        DEFAULT.inject(stack)
    assert connect.did == []
