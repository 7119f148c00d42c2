"""Writes to the lake's own tables by Paimon's SQL, while the job that writes them is stopped."""

import logging

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, NotReady
from lakeproof.lake.capture.bridge import alone
from lakeproof.lake.capture.gap import await_published, require_not_behind
from lakeproof.lake.job.added_columns import job_files
from lakeproof.lake.job.bridging import let_main_move
from lakeproof.lake.job.flink_rest import FlinkRest, Job, rest_of
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.job.submission import ensure_submitted, find_job, stop_with_savepoint
from lakeproof.lake.job.turn import submitting
from lakeproof.lake.job.writer import all_is_done, begin_writing, writer_of
from lakeproof.lake.query.flink import PinnedFlink
from lakeproof.lake.query.paimon import paimon
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

STOP_SECONDS = 60.0
STATEMENT_SECONDS = 300.0
# The last state of a job that was stopped with a savepoint and has committed all that the savepoint holds.
STOPPED = "FINISHED"

log = logging.getLogger(__name__)


def write_to_lake(stack: Stack, source: Source, *statements: str) -> None:
    """Run statements on the catalog `store` while the source's job is stopped with a savepoint: a table has one
    writer at a time. Then the job goes on. After a call was cut off, whoever submits the job ends the statement
    first.

    Raises: NotReady where the job does not run, or did not end well (nothing was written then); as paimon.paimon,
    stop_with_savepoint and ensure_submitted.
    """
    flink, stopped = rest_of(stack), False
    try:
        with submitting(stack):
            with paimon(stack, writer_of(source)) as session:
                job = find_job(flink, source)
                if job is None:
                    raise NotReady("it does not run", where=source.job, next_action="lakeproof diagnose")
                stopped = True
                _stop(stack, source, flink, job)
                begin_writing(stack, source, session.url)
                for statement in statements:
                    session.run(statement, Deadline(STATEMENT_SECONDS))
            # The statements' session is closed by now. The mark goes before somebody else gets the turn to submit.
            all_is_done(stack, source)
    finally:
        if stopped:
            ensure_submitted(stack, source)


def _stop(stack: Stack, source: Source, flink: FlinkRest, job: Job) -> None:
    """Stop the job, with all of its data committed: uncommitted data would conflict, once the job is restored, with a
    table that was written anew.
    """
    try:
        stop_with_savepoint(stack, source, STOP_SECONDS)
    except DeadlineExpired:
        flink.cancel(job.id)  # it might end at any time later, and nobody would start it again
        raise
    state = next((each.state for each in flink.jobs() if each.id == job.id), "forgotten")
    if state != STOPPED:
        raise NotReady(f"after its savepoint it is {state}", where=source.job, next_action="the same again")


def remove_second_rows(stack: Stack, source: Source) -> dict[str, int]:
    """Take out of the append-only tables the rows that they hold twice; gives table → how many rows were taken out.

    Raises: as take_out_second_rows; InvalidInput where topic_gap.bridge was cut off, which is to be finished first;
    NotReady where somebody repairs that database's tables.
    """
    with alone(stack, source):
        require_not_behind(stack, source)
        return take_out_second_rows(stack, source)


def take_out_second_rows(stack: Stack, source: Source) -> dict[str, int]:
    """As remove_second_rows, for a caller that is `alone` with these tables.

    Append-only tables have no key on purpose, so that a second row of an event is seen. A connector that reads all
    rows anew brings a second row of each event. A table is written anew as a whole, in one commit; a call that is cut
    off before the commit leaves the table as it was. Hashes that were published before stay as they are.
    Raises: as write_to_lake; NotReady and CouldNotLook, also where all was done and `main` does not show it.
    """
    files = [file for file in job_files(stack, source) if not file.has_key]
    log.info("counting what %s hold twice", ", ".join(file.table for file in files))
    with paimon(stack) as session:
        rows = {file: _second_rows(session, source, file) for file in files}
    twice = {file: count for file, count in rows.items() if count}
    if twice:
        log.info("writing %s anew", ", ".join(file.table for file in twice))
        # All tables in one stop of the job: a job that was submitted a moment ago makes no savepoint yet.
        tables = [_stored(source, file) for file in twice]
        write_to_lake(stack, source, *(f"INSERT OVERWRITE {each} SELECT DISTINCT * FROM {each}" for each in tables))
    found = {f"{source.name}.{file.table}": count for file, count in twice.items()}
    let_main_move(stack, source)
    try:
        # Also where nothing was found: an earlier call may have taken the rows out, and ended before main showed it.
        await_published(stack, source)
    except (DeadlineExpired, CouldNotLook) as late:
        kind = CouldNotLook if isinstance(late, CouldNotLook) else NotReady
        raise kind(
            f"second rows taken out: {in_counts(found)}; that is not seen on main yet: {late.what}",
            where=source.name,
            next_action="lakeproof diagnose",
        ) from late
    return found


def in_counts(found: dict[str, int]) -> str:
    """Table → how many rows, in words."""
    return ", ".join(f"{count} of {table}" for table, count in found.items()) or "none"


def _second_rows(session: PinnedFlink, source: Source, file: SqlFile) -> int:
    table, deadline = _stored(source, file), Deadline(STATEMENT_SECONDS)
    # One statement, so one look at the table: the job goes on writing to it meanwhile.
    columns = ", ".join(f"`{name}`" for name, *_ in session.run(f"DESCRIBE {table}", deadline).rows)
    each = f"SELECT COUNT(*) AS n FROM {table} GROUP BY {columns}"
    ((rows,),) = session.run(f"SELECT SUM(n - 1) FROM ({each})", deadline).rows
    return int(rows or 0)  # NULL of an empty table


def _stored(source: Source, file: SqlFile) -> str:
    return f"store.{source.name}.{file.table}"
