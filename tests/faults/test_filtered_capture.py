"""A filter in the connector's configuration, and what is taken back of it."""

from typing import Any

import pytest

from lakeproof.errors import InvalidInput
from lakeproof.lake.capture import missed, topic_gap
from lakeproof.lake.capture.connector import find_connector, render
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes import flink
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.flink_restarts import faults

CONNECTOR = faults.FilteredCapture()
TORN = "transaction 0-1-7: END counts {oltp.order_items=2}, came {}"


@pytest.fixture
def connect(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What Connect has of the connector."""
    config = render(stack, find_connector("orders"))

    def send(stack: Stack, method: str, path: str, *, body: dict[str, str] | None = None, **_: Any) -> None:
        if body is not None:
            config.clear()
            config.update(body)

    monkeypatch.setattr(faults, "send", send)
    monkeypatch.setattr(faults, "await_state", lambda *_, **__: None)
    monkeypatch.setattr(faults, "live_config", lambda *_: dict(config))
    return config


def test_the_filter_goes_before_the_transforms_that_are_there_and_only_once(
    stack: Stack, connect: dict[str, str]
) -> None:
    before = dict(connect)
    CONNECTOR.inject(stack)
    assert connect["transforms"] == f"drop,{before['transforms']}"
    assert connect["predicates.dropped.pattern"] == r"oltp\.oltp\.order_items"
    assert {name: connect[name] for name in before if name not in ("transforms", "predicates")} == {
        name: value for name, value in before.items() if name not in ("transforms", "predicates")
    }
    once = dict(connect)
    CONNECTOR.inject(stack)
    assert connect == once


def test_a_connector_that_is_not_there_is_refused_in_words(
    stack: Stack, connect: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faults, "live_config", lambda *_: None)
    with pytest.raises(InvalidInput, match="orders: Kafka Connect has no such connector"):
        CONNECTOR.inject(stack)


@pytest.mark.parametrize(
    ("filtered", "seen", "bridged"),
    [
        (True, "none", True),  # the job has not come to what was dropped
        (False, TORN, True),
        (False, "Fetch position is out of range for partition cdc.oltp-0", True),
        (False, flink.PASSED_OVER, True),
        (False, "none", False),
        (False, None, False),
    ],
)
def test_taken_back_it_leaves_no_job_that_cannot_get_on(
    stack: Stack,
    connect: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    filtered: bool,
    seen: str | None,
    bridged: bool,
) -> None:
    did: list[str] = []
    if filtered:
        CONNECTOR.inject(stack)
    monkeypatch.setattr(faults, "register", lambda *_: did.append("registered"))
    monkeypatch.setattr(topic_gap, "bridge", lambda *_: did.append("bridged"))
    monkeypatch.setattr(flink, "topic_gap", lambda *_: seen)
    CONNECTOR.remove(stack)
    assert did == [*(["bridged"] if bridged else []), "registered"]
    # Somebody has registered it from its file: what it dropped is still missing.
    missed.note(stack, OLTP, missed.BY_CONNECTOR)
    did.clear()
    CONNECTOR.remove(stack)
    assert did == ["bridged", "registered"]


def test_its_sign_is_the_torn_transaction_and_no_other_gap(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for seen, holds in ((TORN, True), ("Fetch position is out of range", False), ("none", False), (None, False)):
        monkeypatch.setattr(flink, "topic_gap", lambda *_, seen=seen: seen)
        assert CONNECTOR.sign(stack).holds is holds
