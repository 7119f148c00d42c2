"""Sessions with the ring by the Python driver: one role each, with every node, and with a bound on every call.

The nodes share one address and differ by port. So contact points carry ports, and the driver reads the other nodes'
ports from `system.peers_v2`. `protocol_version` is fixed, since a node that is starting up cannot negotiate one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lakeproof.stack.engines.cassandra_config import NODES
from lakeproof.stack.engines.cassandra_roles import SECRETS
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    from cassandra.cluster import Cluster, Session

PROTOCOL = 4
CONNECT_SECONDS = 2.0
RECONNECT_SECONDS = 1.0


def cluster(
    stack: Stack, role: str, password: str, *, seconds: float, nodes: tuple[str, ...] = NODES, **options: Any
) -> "Cluster":
    """The driver's view of the ring for one role. Every call ends within `seconds`, a dead node's too.

    It connects at the first call, for which one of `nodes` has to answer. Of a ring that somebody else runs only the
    nodes with an endpoint in the settings are asked. `options` go to the driver's Cluster.
    Raises: InvalidInput where no node has an endpoint.
    """
    from cassandra import ConsistencyLevel
    from cassandra.auth import PlainTextAuthProvider
    from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
    from cassandra.connection import DefaultEndPoint
    from cassandra.policies import (
        ConstantReconnectionPolicy,
        DCAwareRoundRobinPolicy,
        FallthroughRetryPolicy,
    )

    known = [name for name in nodes if stack.has_endpoint(name, "tcp")]
    profile = ExecutionProfile(
        load_balancing_policy=DCAwareRoundRobinPolicy(local_dc=stack.settings.cassandra.datacenter),
        # A write that timed out may have been done. The driver does not know whether it may be repeated.
        retry_policy=FallthroughRetryPolicy(),
        consistency_level=ConsistencyLevel.QUORUM,
        serial_consistency_level=ConsistencyLevel.SERIAL,
        request_timeout=seconds,
    )
    return Cluster(
        contact_points=[DefaultEndPoint(*stack.host_port(name)) for name in known or nodes[:1]],
        auth_provider=PlainTextAuthProvider(stack.account(SECRETS.get(role, ""), role), password),
        protocol_version=PROTOCOL,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
        reconnection_policy=ConstantReconnectionPolicy(RECONNECT_SECONDS, max_attempts=None),
        connect_timeout=min(CONNECT_SECONDS, seconds),
        control_connection_timeout=min(CONNECT_SECONDS, seconds),
        idle_heartbeat_interval=4,
        idle_heartbeat_timeout=2,
        **options,
    )


@contextmanager
def session(
    stack: Stack, role: str, password: str, *, seconds: float, nodes: tuple[str, ...] = NODES
) -> Iterator["Session"]:
    """A session for the block. Raises: cassandra's NoHostAvailable and its kin."""
    view = cluster(stack, role, password, seconds=seconds, nodes=nodes, schema_metadata_enabled=False)
    try:
        yield view.connect()
    finally:
        view.shutdown()
