"""The two sides: which components each needs, and how its job is brought to run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.beside_flink_cdc import peer_job
from benchmarks.rate import behind_seconds
from lakeproof.deadline import Deadline
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import OLTP
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

FIRST_SECONDS = 120.0
NEAR_SECONDS = 10.0


@dataclass(frozen=True)
class Side:
    """One side of the comparison.

    name: "ours" or "peer". database: the database of its Paimon tables.
    has_key: table → whether the table has a primary key.
    begin: brings the side's job to run in a stack of the benchmark's own.
    """

    name: str
    database: str
    has_key: Mapping[str, bool]
    begin: Callable[[Stack], None]


def _begin_ours(stack: Stack) -> None:
    SupervisorClient(stack).up(["publisher", "lag-exporter", "connect", "flink-jobmanager", "mysql"])

    def covers_now() -> bool | None:
        try:
            return True if behind_seconds(stack) < NEAR_SECONDS else None
        except history.NothingPublished:
            return None

    # Wait for a fresh heartbeat, not for any published state: the first is there before the connector has sent a row.
    Deadline(FIRST_SECONDS).wait_for("a published heartbeat that is new", covers_now)


def _begin_peer(stack: Stack) -> None:
    client = SupervisorClient(stack)
    client.up(["mysql", "flink-jobmanager"])
    # The JobManager's start also submits our job, which needs Kafka. The peer needs neither.
    peer_job.cancel_ours(stack)
    peer_job.submit(stack)
    client.stop("kafka")


OURS = Side("ours", OLTP.name, {table: table != "order_events" for table in peer_job.TABLES}, _begin_ours)
PEER = Side("peer", peer_job.DATABASE, dict.fromkeys(peer_job.TABLES, True), _begin_peer)
SIDES = (OURS, PEER)
