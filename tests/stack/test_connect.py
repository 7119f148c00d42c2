"""Kafka Connect as a component, without running it; registering connectors against a Connect in a dict."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeproof.errors import NotReady, TerminalError
from lakeproof.lake.capture import registration
from lakeproof.lake.capture.connector import find_connector, render
from lakeproof.lake.sources.source import OLTP
from lakeproof.stack.engines import connect
from lakeproof.stack.settings import CaptureSettings, Settings
from lakeproof.stack.stack import Stack


class Worker:
    """Connect's REST API for connectors' configurations; `refusals` are the answers given before it behaves."""

    def __init__(self) -> None:
        self.cluster = "cluster-1"
        self.connectors: dict[str, dict[str, str]] = {}
        self.puts = 0
        self.refusals: list[int] = []
        self.address = ""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if path == "/":
            return 200, {"kafka_cluster_id": self.cluster}
        if self.refusals:
            return self.refusals.pop(), {"message": "refused for a reason"}
        if path == "/health":
            return 200, {"status": "healthy"}
        name = path.split("/")[2]
        if method == "PUT":
            self.puts += 1
            self.connectors[name] = {"name": name, **json.loads(body)}
        return (200, self.connectors[name]) if name in self.connectors else (404, {"message": "none"})


@pytest.fixture
def worker(answering: Callable[[Callable[[str, str, bytes], tuple[int, object]]], str]) -> Worker:
    made = Worker()
    made.address = answering(made.answer)
    return made


type MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(tmp_path: Path, worker: Worker) -> MakeStack:
    def make(exactly_once: bool = True) -> Stack:
        return Stack(
            Settings(
                name="t",
                state_dir=tmp_path,
                endpoints={"connect": {"http": worker.address}},
                capture=CaptureSettings(exactly_once=exactly_once),
            )
        )

    return make


def test_provision_registers_a_connector_once(make_stack: MakeStack, worker: Worker) -> None:
    registration.provision(make_stack(), OLTP)
    registration.provision(make_stack(), OLTP)
    assert worker.puts == 1
    assert worker.connectors["orders"] == {"name": "orders", **render(make_stack(), find_connector("orders"))}


def test_provision_leaves_a_connector_deleted_by_hand_deleted(make_stack: MakeStack, worker: Worker) -> None:
    registration.provision(make_stack(), OLTP)
    worker.connectors.clear()
    registration.provision(make_stack(), OLTP)
    assert not worker.connectors


def test_provision_leaves_a_configuration_changed_by_hand_as_it_is(make_stack: MakeStack, worker: Worker) -> None:
    registration.provision(make_stack(), OLTP)
    worker.connectors["orders"]["poll.interval.ms"] = "9"
    registration.provision(make_stack(), OLTP)
    assert worker.connectors["orders"]["poll.interval.ms"] == "9"


def test_provision_registers_again_when_the_file_says_something_else(make_stack: MakeStack, worker: Worker) -> None:
    registration.provision(make_stack(), OLTP)
    registration.provision(make_stack(exactly_once=False), OLTP)
    assert worker.puts == 2
    assert "exactly.once.support" not in worker.connectors["orders"]


def test_provision_leaves_a_file_with_new_tables_to_the_command_that_looks_for_their_reader(
    make_stack: MakeStack, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    registration.provision(make_stack(), OLTP)
    live = worker.connectors["orders"]
    live["table.include.list"] = "oltp.orders,oltp.order_items,oltp.cdc_heartbeat"
    registration.provision(make_stack(exactly_once=False), OLTP)
    assert worker.puts == 1
    assert "(oltp.order_events). Next: lakeproof capture register orders" in caplog.text


def test_provision_registers_again_in_a_new_cluster(make_stack: MakeStack, worker: Worker) -> None:
    registration.provision(make_stack(), OLTP)
    worker.cluster, worker.connectors = "cluster-2", {}
    registration.provision(make_stack(), OLTP)
    assert "orders" in worker.connectors


def test_register_brings_a_deleted_connector_back(make_stack: MakeStack, worker: Worker) -> None:
    registration.register(make_stack(), "orders")
    worker.connectors.clear()
    registration.register(make_stack(), "orders")
    assert registration.live_config(make_stack(), "orders") is not None


def test_register_sends_nothing_where_nothing_differs(make_stack: MakeStack, worker: Worker) -> None:
    registration.register(make_stack(), "orders")
    registration.register(make_stack(), "orders")
    assert worker.puts == 1


def test_register_waits_out_a_rebalance(make_stack: MakeStack, worker: Worker) -> None:
    worker.refusals = [409, 503]
    registration.register(make_stack(), "orders")
    assert worker.puts == 1


def test_what_connect_refuses_is_said_in_its_own_words(make_stack: MakeStack, worker: Worker) -> None:
    worker.refusals = [400]
    with pytest.raises(TerminalError, match="refused for a reason"):
        registration.register(make_stack(), "orders")


def test_a_worker_that_says_it_is_not_well_is_not_ready(make_stack: MakeStack, worker: Worker) -> None:
    connect.ready(make_stack(), 2.0)
    worker.refusals = [500]
    with pytest.raises(NotReady, match="500"):
        connect.ready(make_stack(), 2.0)


def test_exactly_once_off_is_off_for_the_worker_too(make_stack: MakeStack) -> None:
    assert "exactly.once.source.support=enabled" in connect.worker_properties(make_stack())
    assert "exactly.once.source.support=disabled" in connect.worker_properties(make_stack(exactly_once=False))
