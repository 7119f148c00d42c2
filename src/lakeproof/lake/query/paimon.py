"""Paimon's own SQL, by Flink's gateway: the lake's tables as the jobs write them, published or not, in the catalog
`store`. A table has one writer at a time: to write is for capture/rewriting.py alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from lakeproof.deadline import Deadline
from lakeproof.lake.query.answer import EngineUnreachable
from lakeproof.lake.query.flink import PinnedFlink, open_session, start_gateway
from lakeproof.stack.object_store import WAREHOUSE
from lakeproof.stack.stack import Stack

SECONDS = 30.0
_CATALOG = f"CREATE CATALOG store WITH ('type' = 'paimon', 'warehouse' = '{WAREHOUSE}')"
# A statement returns once its job has ended, and each of its tasks is one: the TaskManager has one free slot.
_SESSION = {
    "execution.runtime-mode": "batch",
    "execution.batch-shuffle-mode": "ALL_EXCHANGES_HYBRID_FULL",
    "execution.batch.adaptive.auto-parallelism.enabled": "false",
    "parallelism.default": "1",
    "restart-strategy.type": "none",
    "table.dml-sync": "true",
    "table.local-time-zone": "UTC",
}


@contextmanager
def paimon(stack: Stack, name: str = "lakeproof-query") -> Iterator[PinnedFlink]:
    """A session for such statements, which starts the gateway. name: of each one's job.

    Raises: EngineUnreachable, StatementFailed.
    """
    start_gateway(stack)
    url = stack.url("flink-sql-gateway")
    with httpx.Client(base_url=url, timeout=SECONDS, trust_env=False) as client:
        try:
            session = open_session(client, _SESSION | {"pipeline.name": name})
            try:
                flink = PinnedFlink(client, session)
                flink.run(_CATALOG, Deadline(SECONDS))
                yield flink
            finally:
                client.delete(f"/v1/sessions/{session}")
        except httpx.HTTPError as error:
            raise EngineUnreachable(
                f"no answer ({type(error).__name__})", where=f"flink at {url}", next_action="lakeproof ps"
            ) from error
