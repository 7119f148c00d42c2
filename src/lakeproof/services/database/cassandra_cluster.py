"""The driver's Cluster for a service: rows as tuples, a second node for what is slow, suspects last."""

import time
from collections.abc import Callable, Iterator
from typing import Any

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster
from cassandra.policies import ConstantSpeculativeExecutionPolicy, DCAwareRoundRobinPolicy
from cassandra.pool import Host
from cassandra.query import tuple_factory

from lakeproof.stack.engines import cassandra_session
from lakeproof.stack.stack import Stack

CALL_SECONDS = 2.5  # a call's own limit is shorter where its caller says so
SECOND_NODE_SECONDS = 0.7  # shorter, a busy ring would be asked everything twice
SUSPECT_SECONDS = 6.0  # by then the driver's own heartbeat knows that a node does not answer


class SuspectsLast(DCAwareRoundRobinPolicy):  # type: ignore[misc]  # the driver is not typed
    """All nodes in turn, but one that left a call unanswered is for a while asked only where no other is left.

    The driver takes a frozen node for a living one until its heartbeat fails, and would send it every third call.
    """

    def __init__(self, datacenter: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(local_dc=datacenter)
        self._clock = clock
        self._until: dict[Host, float] = {}

    def suspect(self, host: Host) -> None:
        """It did not answer in time."""
        self._until[host] = self._clock() + SUSPECT_SECONDS

    def make_query_plan(self, working_keyspace: str | None = None, query: Any = None) -> Iterator[Host]:
        """Every node once."""
        now = self._clock()
        plan = list(super().make_query_plan(working_keyspace, query))
        yield from sorted(plan, key=lambda host: self._until.get(host, 0.0) > now)


def service_cluster(stack: Stack, role: str, password: str) -> Cluster:
    """It does not follow the schema: every node has every row, so any one may be asked."""
    view = cassandra_session.cluster(
        stack, role, password, seconds=CALL_SECONDS, schema_metadata_enabled=False, token_metadata_enabled=False
    )
    profile = view.profile_manager.profiles[EXEC_PROFILE_DEFAULT]
    profile.row_factory = tuple_factory
    profile.load_balancing_policy = SuspectsLast(stack.settings.cassandra.datacenter)
    profile.speculative_execution_policy = ConstantSpeculativeExecutionPolicy(SECOND_NODE_SECONDS, 1)
    return view
