"""Which node of the ring a service asks, and that it goes on connecting until one is there."""

import time
from collections import Counter
from collections.abc import Callable
from typing import cast

import pytest
from cassandra import OperationTimedOut
from cassandra.cluster import Cluster
from cassandra.connection import ConnectionShutdown, DefaultEndPoint
from cassandra.policies import SimpleConvictionPolicy
from cassandra.pool import Host
from prometheus_client import CollectorRegistry

from lakeproof.deadline import Deadline
from lakeproof.stack.engines.cassandra_config import DATACENTER
from lakeproof_shop.serving.database import cassandra
from lakeproof_shop.serving.database.cassandra import Ring, Statement
from lakeproof_shop.serving.database.cassandra_cluster import SUSPECT_SECONDS, SuspectsLast
from lakeproof_shop.serving.database.errors import DatabaseDown
from lakeproof_shop.serving.database.metrics import DatabaseMetrics


def three(clock: Callable[[], float] = time.monotonic) -> tuple[SuspectsLast, list[Host]]:
    policy = SuspectsLast("dc1", clock)
    hosts = [Host(DefaultEndPoint("127.0.0.1", port), SimpleConvictionPolicy) for port in (9042, 9043, 9044)]
    for host in hosts:
        host.set_location_info(DATACENTER, "rack1")
    policy.populate(cast(Cluster, None), hosts)
    return policy, hosts


def test_every_node_has_its_turn() -> None:
    policy, hosts = three()
    first = Counter(next(iter(policy.make_query_plan())) for _ in range(30))
    assert first == Counter(dict.fromkeys(hosts, 10))


def test_one_that_left_a_call_unanswered_is_asked_last_for_a_while_and_never_forgotten() -> None:
    now = 100.0
    policy, hosts = three(lambda: now)
    policy.suspect(hosts[1])
    plans = [list(policy.make_query_plan()) for _ in range(9)]
    assert all(plan[-1] is hosts[1] and len(plan) == 3 for plan in plans)
    now += SUSPECT_SECONDS + 1
    assert any(next(iter(policy.make_query_plan())) is hosts[1] for _ in range(3))


class Starting:
    """A ring whose node hangs up on the first that connects."""

    def __init__(self) -> None:
        self.asked = 0

    def connect(self) -> None:
        self.asked += 1
        if self.asked == 1:
            raise ConnectionShutdown("the node hung up")

    def shutdown(self) -> None:
        return None


async def test_a_ring_that_hangs_up_while_a_service_connects_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cassandra, "OPEN_PAUSE_SECONDS", 0.01)
    node = Starting()
    ring = Ring(lambda: cast(Cluster, node), (), DatabaseMetrics(CollectorRegistry()))
    ring.start()
    await ring.await_connection(Deadline(5))
    assert (ring.problem, node.asked) == ("", 2)
    await ring.close()


class Unanswered:
    """A ring, its session, the statement that it prepares and the response: no answer ever comes."""

    def connect(self) -> "Unanswered":
        return self

    def prepare(self, text: str) -> "Unanswered":
        return self

    def bind(self, values: object) -> "Unanswered":
        return self

    def execute_async(self, statement: object, timeout: float) -> "Unanswered":
        return self

    def add_callbacks(self, on_page: object, on_error: Callable[[Exception], None]) -> None:
        on_error(OperationTimedOut())

    def shutdown(self) -> None:
        return None


async def test_a_read_without_an_answer_counts_as_a_ring_that_is_down_and_not_as_an_unclear_write() -> None:
    registry, reading = CollectorRegistry(), Statement("SELECT")
    ring = Ring(lambda: cast(Cluster, Unanswered()), (reading,), DatabaseMetrics(registry))
    ring.start()
    await ring.await_connection(Deadline(5))
    with pytest.raises(DatabaseDown):
        await ring.read(reading, (), Deadline(5))
    await ring.close()
    counted = {
        kind: registry.get_sample_value("shop_db_errors_total", {"kind": kind}) for kind in ("down", "commit_unclear")
    }
    assert counted == {"down": cassandra.ATTEMPTS, "commit_unclear": 0}
