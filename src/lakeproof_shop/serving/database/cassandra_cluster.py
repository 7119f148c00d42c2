"""The driver's Cluster for a service: rows as tuples, a second node for slow calls, suspected nodes asked last."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster
from cassandra.policies import ConstantSpeculativeExecutionPolicy, DCAwareRoundRobinPolicy
from cassandra.pool import Host
from cassandra.query import tuple_factory

from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.stack import Stack

CALL_SECONDS = 2.5  # the longest a call may take; its caller may set a shorter limit
SECOND_NODE_SECONDS = 0.7  # with a shorter time a busy ring would get every call twice
SUSPECT_SECONDS = 6.0  # by then the driver's own heartbeat knows that a node does not answer


class SuspectsLast(DCAwareRoundRobinPolicy):  # type: ignore[misc]  # the driver is not typed
    """All nodes in turn. A node that left a call unanswered is for a while asked only where no other is left.

    The driver takes a frozen node for a living one until its heartbeat fails, and would send it every third call.
    """

    def __init__(self, datacenter: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(local_dc=datacenter)
        self._clock = clock
        self._until: dict[Host, float] = {}

    def suspect(self, host: Host) -> None:
        """The node did not answer in time: ask it last for SUSPECT_SECONDS."""
        self._until[host] = self._clock() + SUSPECT_SECONDS

    def make_query_plan(self, working_keyspace: str | None = None, query: Any = None) -> Iterator[Host]:
        """Every node once, suspected nodes last."""
        now = self._clock()
        plan = list(super().make_query_plan(working_keyspace, query))
        yield from sorted(plan, key=lambda host: self._until.get(host, 0.0) > now)


@dataclass(frozen=True)
class RingAndKafka:
    """What a service of the ring needs from outside: a way to open the cluster, and Kafka's bootstrap servers."""

    open_cluster: Callable[[], Cluster]
    kafka: str


def ring_and_kafka(stack: Stack, role: str) -> RingAndKafka:
    """The stack's ring, opened as the service's own user, and the stack's Kafka."""
    return RingAndKafka(lambda: service_cluster(stack, role), stack.address("kafka", "tcp"))


def service_cluster(stack: Stack, role: str) -> Cluster:
    """The Cluster of a service, without schema and tokens: every node has every row, so any may be asked."""
    password = stack.secret(f"cassandra-{role.replace('_', '-')}")
    view = cassandra_session.cluster(
        stack, role, password, seconds=CALL_SECONDS, schema_metadata_enabled=False, token_metadata_enabled=False
    )
    profile = view.profile_manager.profiles[EXEC_PROFILE_DEFAULT]
    profile.row_factory = tuple_factory
    profile.load_balancing_policy = SuspectsLast(stack.settings.cassandra.datacenter)
    profile.speculative_execution_policy = ConstantSpeculativeExecutionPolicy(SECOND_NODE_SECONDS, 1)
    return view
