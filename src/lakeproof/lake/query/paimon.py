"""Paimon's own SQL, by Flink's gateway: the lake's tables as the jobs write them, published or not, in the catalog
`store`. A table has one writer at a time: to write is for capture/rewriting.py alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from lakeproof.deadline import Deadline
from lakeproof.lake.query.flink import BATCH, PinnedFlink, flink_session, start_gateway
from lakeproof.stack.object_store import WAREHOUSE
from lakeproof.stack.stack import Stack

SECONDS = 120.0
# How long the gateway may take for one answer. Where all processors were busy it took over 30 s, amid a repair.
PAGE_SECONDS = 120.0
_CATALOG = f"CREATE CATALOG store WITH ('type' = 'paimon', 'warehouse' = '{WAREHOUSE}')"
# A statement returns once its job has ended. Its parallelism is 1, for the TaskManager has one free slot.
_SESSION = BATCH | {
    "execution.batch.adaptive.auto-parallelism.enabled": "false",
    "parallelism.default": "1",
    "table.dml-sync": "true",
}


@contextmanager
def paimon(stack: Stack, name: str = BATCH["pipeline.name"]) -> Iterator[PinnedFlink]:
    """A session for statements on the catalog `store`; starts the gateway. name: of each statement's job.

    Raises: EngineUnreachable, StatementFailed.
    """
    start_gateway(stack)
    with flink_session(
        stack, _SESSION | {"pipeline.name": name}, must_be_closed=True, page_seconds=PAGE_SECONDS
    ) as flink:
        flink.run(_CATALOG, Deadline(SECONDS))
        yield flink
