"""An order's way from MariaDB to the projection, through the real capture, job, topic and ring: exact after kills."""

from collections.abc import Callable

import httpx
import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported without saying so
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from benchmarks.sql_shop import SqlShop
from lakeproof.deadline import Deadline
from lakeproof.processes.client import SupervisorClient
from lakeproof.proof.findings import Finding, Wrong
from lakeproof.stack.engines.cassandra_session import session
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.handle import TrafficHandle
from lakeproof_shop.customers.shoppers.traffic import Traffic, new_run
from lakeproof_shop.projector.app import TOPIC
from lakeproof_shop.projector.rebuild import rebuild
from lakeproof_shop.proof import projected

pytestmark = [pytest.mark.engines, pytest.mark.proof, pytest.mark.timeout(900)]

COVER_SECONDS = 120.0


@pytest.fixture(scope="module")
def supervisor(up: Callable[..., SupervisorClient]) -> SupervisorClient:
    return up("projector", "connect", "flink-jobmanager", "lag-exporter", "order-service")


def traffic(stack: Stack, seed: int, rate: float = 40.0) -> TrafficHandle:
    made = Traffic(
        lambda: SqlShop(stack), stack.ledger_dir, rate=rate, seed=seed, run=new_run(seed), call_seconds=10.0
    )
    return TrafficHandle(made)


def wait(seconds: float) -> None:
    deadline = Deadline(seconds)
    while not deadline.expired:
        deadline.pause(0.5)


def look(stack: Stack) -> tuple[int, tuple[Finding, ...]]:
    report = projected.look(stack, COVER_SECONDS, print)
    assert report is not None
    return report.rows, report.findings


def test_every_order_is_projected_after_kills_in_the_middle(stack: Stack, supervisor: SupervisorClient) -> None:
    handle = traffic(stack, 1)
    wait(10)
    assert look(stack)[1] == ()  # under traffic
    supervisor.kill("flink-taskmanager")
    wait(5)
    supervisor.kill("projector")
    wait(5)
    supervisor.kill("cassandra-node3")
    wait(10)
    report = handle.stop()
    rows, findings = look(stack)
    assert findings == ()
    assert 100 < rows <= report.counts.orders


def test_a_row_taken_away_and_a_version_changed_behind_its_back_are_named(
    stack: Stack, supervisor: SupervisorClient
) -> None:
    with session(stack, "projector", stack.secret("cassandra-projector"), seconds=10) as ring:
        table = "projections.orders_by_customer"
        rows = list(ring.execute(f"SELECT customer_id, order_id, version FROM {table}"))
        lost, stale = [row[:2] for row in rows if row[2] > 1][:2]
        ring.execute(f"DELETE FROM {table} WHERE customer_id = %s AND order_id = %s", lost)
        ring.execute(f"UPDATE {table} SET version = 1 WHERE customer_id = %s AND order_id = %s", stale)
        ring.execute(
            f"INSERT INTO {table} (customer_id, order_id, status, total, item_count, version, created_us,"
            " updated_us) VALUES (1, 987654321, 'paid', 1.00, 1, 1, 0, 0)"
        )
    assert {(one.wrong, one.key) for one in look(stack)[1]} == {
        (Wrong.LOST, f"order {lost[1]} of customer {lost[0]}"),
        (Wrong.STALE, f"order {stale[1]} of customer {stale[0]}"),
        (Wrong.PHANTOM, "order 987654321 of customer 1"),
    }


def test_it_is_made_anew_from_the_topic(stack: Stack, supervisor: SupervisorClient) -> None:
    rebuild(stack, print)
    rows, findings = look(stack)
    assert (rows > 100, findings) == (True, ())


def test_it_is_made_anew_from_the_database_where_the_topic_has_lost_its_records(
    stack: Stack, supervisor: SupervisorClient
) -> None:
    empty_topic(stack)
    rebuild(stack, print)
    assert {one.wrong for one in look(stack)[1]} == {Wrong.LOST}
    rebuild(stack, print, from_database=True)

    def found() -> bool | None:
        return True if look(stack)[1] == () else None

    Deadline(60).wait_for("every order to be captured once more", found, every=2.0)
    assert httpx.get(f"{stack.url('projector')}/health", trust_env=False).status_code == 200


def empty_topic(stack: Stack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.address("kafka", "tcp")})

    def set_policy(policy: str) -> None:
        entry = ConfigEntry("cleanup.policy", policy, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, TOPIC.name, incremental_configs=[entry])
        admin.incremental_alter_configs([resource])[resource].result(timeout=20)

    set_policy("delete")  # a compacted topic refuses to have its records deleted
    ends = [TopicPartition(TOPIC.name, part, OFFSET_END) for part in range(TOPIC.partitions)]
    for done in admin.delete_records(ends).values():
        done.result(timeout=20)
    set_policy("compact")
