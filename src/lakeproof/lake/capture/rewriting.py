"""Writes to the lake's own tables by Paimon's SQL, while the job that writes them is stopped."""

import logging
from collections.abc import Iterable

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.lake.capture.bridge import alone
from lakeproof.lake.capture.gap import await_published
from lakeproof.lake.job.added_columns import job_files
from lakeproof.lake.job.flink_rest import ALIVE, ENDING, FlinkRest, rest_of
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.job.submission import ensure_submitted, find_job, no_job
from lakeproof.lake.query.flink import PinnedFlink
from lakeproof.lake.query.paimon import NAME, paimon
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

STOP_SECONDS = 60.0
END_SECONDS = 30.0
STATEMENT_SECONDS = 300.0

log = logging.getLogger(__name__)


def write_to_lake(stack: Stack, source: Source, statements: Iterable[str]) -> None:
    """These statements, on the catalog `store`, while the source's job is stopped: a table has one writer at a time.
    The job goes on afterwards, whatever became of them.

    Raises: NotReady where the job does not run; as paimon.paimon, submission.no_job and ensure_submitted.
    """
    flink = rest_of(stack)
    if find_job(flink, source) is None:
        raise NotReady("it does not run", where=source.job, next_action="lakeproof diagnose")
    try:
        with paimon(stack) as session, no_job(stack, source, STOP_SECONDS):
            for statement in statements:
                session.run(statement, Deadline(STATEMENT_SECONDS))
    finally:
        # A statement that took too long is cancelled, and its job may end later.
        Deadline(END_SECONDS).wait_for(f"{NAME} to end", lambda: None if _is_there(flink) else True)
        ensure_submitted(stack, source)


def _is_there(flink: FlinkRest) -> bool:
    return any(job.name == NAME and job.state in ALIVE | ENDING for job in flink.jobs())


def remove_second_rows(stack: Stack, source: Source) -> dict[str, int]:
    """Take out of the append-only tables what they hold twice, row for row; gives table → how many rows went.

    They have no key, so that a second row of an event is seen. A connector that reads all rows anew brings one of
    each. A table is written anew as a whole, in one commit; cut off before that, it is as it was. Hashes of before
    stay as they are.
    Raises: as write_to_lake; NotReady where somebody bridges a gap there; DeadlineExpired where `main` does not show
    it in time: the rows are out then, and a second call finds none.
    """
    with alone(stack, source):
        files = [file for file in job_files(stack, source) if not file.has_key]
        log.info("counting what %s hold twice", ", ".join(file.table for file in files))
        with paimon(stack) as session:
            rows = {file: _second_rows(session, source, file) for file in files}
        twice = {file: count for file, count in rows.items() if count}
        if twice:
            log.info("writing %s anew", ", ".join(file.table for file in twice))
            tables = [_stored(source, file) for file in twice]
            write_to_lake(
                stack, source, [f"INSERT OVERWRITE {each} SELECT DISTINCT * FROM {each}" for each in tables]
            )
        # Also where an earlier call has taken them out, and has ended before main showed it.
        await_published(stack, source)
    return {f"{source.name}.{file.table}": count for file, count in twice.items()}


def _second_rows(session: PinnedFlink, source: Source, file: SqlFile) -> int:
    table, deadline = _stored(source, file), Deadline(STATEMENT_SECONDS)
    # One look at the table: the job goes on writing to it meanwhile.
    columns = ", ".join(f"`{name}`" for name, *_ in session.run(f"DESCRIBE {table}", deadline).rows)
    each = f"SELECT COUNT(*) AS n FROM {table} GROUP BY {columns}"
    ((rows,),) = session.run(f"SELECT SUM(n - 1) FROM ({each})", deadline).rows
    return int(rows or 0)  # NULL of an empty table


def _stored(source: Source, file: SqlFile) -> str:
    return f"store.{source.name}.{file.table}"
