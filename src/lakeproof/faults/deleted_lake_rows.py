"""Somebody deletes rows from the lake's own table by Paimon's SQL, as a clean-up job with the wrong address would.

The database has them, and capture has delivered them once and for all: nothing that runs brings them back.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput, NotReady
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.capture import gap
from lakeproof.lake.capture.commands import send
from lakeproof.lake.job.flink_rest import ALIVE, ENDING, FlinkRest, rest_of
from lakeproof.lake.job.submission import ensure_submitted, find_job, no_job
from lakeproof.lake.publish.main_branch import roll_back
from lakeproof.lake.query.flink import PinnedFlink, open_session, start_gateway
from lakeproof.lake.sources import mariadb
from lakeproof.lake.sources.source import OLTP, Source
from lakeproof.probes.publisher import NOTHING_FOUND, audit_finding
from lakeproof.stack.object_store import WAREHOUSE
from lakeproof.stack.stack import Stack

SECONDS = 30.0
STATEMENT_SECONDS = 120.0
SAVEPOINT_SECONDS = 60.0
NAME = "by-hand"
CATALOG = f"CREATE CATALOG store WITH ('type' = 'paimon', 'warehouse' = '{WAREHOUSE}')"
# A statement returns once its job has ended, and each of its tasks is one: the TaskManager has one free slot.
SESSION = {
    "pipeline.name": NAME,
    "execution.runtime-mode": "batch",
    "execution.batch-shuffle-mode": "ALL_EXCHANGES_HYBRID_FULL",
    "execution.batch.adaptive.auto-parallelism.enabled": "false",
    "parallelism.default": "1",
    "restart-strategy.type": "none",
    "table.dml-sync": "true",
    "table.local-time-zone": "UTC",
}


class DeletedLakeRows(Arguments):
    """`table`: one of the order database whose key is `id`. `rows`: how many, the oldest that it has."""

    table: str = Field("order_items", pattern=r"^\w+$")
    rows: int = Field(20, ge=1, le=1000)


def inject(stack: Stack, arguments: DeletedLakeRows) -> None:
    """Delete them. Done again it finds none of them, and deletes no others.

    Raises: InvalidInput where the table has no row; as write_to_lake.
    """
    ids = _oldest(stack, arguments)
    if not ids:
        raise InvalidInput("it has no row", where=f"{OLTP.name}.{arguments.table}", next_action="lakeproof traffic")
    write_to_lake(stack, OLTP, f"DELETE FROM {_in_lake(arguments)} WHERE id IN ({_listed(ids)})")


def remove(stack: Stack, arguments: DeletedLakeRows) -> None:
    """Bring back what the lake lacks of the database. The job, `main` and the connector go on, whatever stopped them.

    An earlier call may have brought the rows, and have ended before `main` showed them: then an audit still tells.
    """
    ensure_submitted(stack, OLTP)
    roll_back(stack)
    if sign(stack, arguments).holds or audit_finding(stack, SECONDS, OLTP) != NOTHING_FOUND:
        gap.bridge(stack, OLTP.connector)
    else:
        send(stack, "PUT", f"/connectors/{OLTP.connector}/resume", absent_is_fine=True)


def sign(stack: Stack, arguments: DeletedLakeRows) -> Sign:
    """The table's newest snapshot lacks some of the oldest rows, published or not."""
    ids = _oldest(stack, arguments)
    there = _still_there(stack, arguments, ids) if ids else 0
    return Sign(there < len(ids), f"the lake's {arguments.table} has {there} of its {len(ids)} oldest rows")


def write_to_lake(stack: Stack, source: Source, statement: str) -> None:
    """One statement by Paimon's own SQL, on the catalog `store`, while the source's job is stopped: a table has one
    writer at a time. The job goes on afterwards, whatever became of the statement.

    Raises: NotReady where the job does not run; as PinnedFlink.run, submission.no_job and ensure_submitted.
    """
    flink = rest_of(stack)
    if find_job(flink, source) is None:
        raise NotReady("it does not run", where=source.job, next_action="lakeproof diagnose")
    start_gateway(stack)
    try:
        with no_job(stack, source, SAVEPOINT_SECONDS), _paimon(stack) as paimon:
            paimon.run(statement, Deadline(STATEMENT_SECONDS))
    finally:
        # A statement that took too long is cancelled, and its job may end later.
        Deadline(SECONDS).wait_for(f"{NAME} to end", lambda: None if _is_there(flink) else True)
        ensure_submitted(stack, source)


def _is_there(flink: FlinkRest) -> bool:
    return any(job.name == NAME and job.state in ALIVE | ENDING for job in flink.jobs())


def _still_there(stack: Stack, arguments: DeletedLakeRows, ids: list[int]) -> int:
    start_gateway(stack)
    with _paimon(stack) as flink:
        counted = f"SELECT COUNT(*) FROM {_in_lake(arguments)} WHERE id IN ({_listed(ids)})"
        ((there,),) = flink.run(counted, Deadline(STATEMENT_SECONDS)).rows
    return int(there)


def _oldest(stack: Stack, arguments: DeletedLakeRows) -> list[int]:
    with mariadb.as_root(stack, SECONDS) as cursor:
        cursor.execute(f"SELECT id FROM {OLTP.name}.{arguments.table} ORDER BY id LIMIT {arguments.rows}")
        return [int(id_) for (id_,) in cursor.fetchall()]


@contextmanager
def _paimon(stack: Stack) -> Iterator[PinnedFlink]:
    """A session of the gateway in which the catalog `store` is the lake as the job writes it, published or not."""
    with httpx.Client(base_url=stack.url("flink-sql-gateway"), timeout=SECONDS, trust_env=False) as client:
        try:
            session = open_session(client, SESSION)
            try:
                flink = PinnedFlink(client, session)
                flink.run(CATALOG, Deadline(SECONDS))
                yield flink
            finally:
                client.delete(f"/v1/sessions/{session}")
        except httpx.HTTPError as error:
            raise NotReady(f"no answer ({type(error).__name__})", where="flink-sql-gateway") from error


def _in_lake(arguments: DeletedLakeRows) -> str:
    return f"store.{OLTP.name}.{arguments.table}"


def _listed(ids: list[int]) -> str:
    return ", ".join(str(id_) for id_ in ids)


FAULT = Fault(
    "deleted_lake_rows",
    "delete rows of the lake's own table, as somebody else",
    inject,
    remove,
    sign,
    DeletedLakeRows,
    through_capture=True,
)
