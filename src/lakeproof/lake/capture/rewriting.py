"""Writes to the lake's own tables by Paimon's SQL, while the job that writes them is stopped."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched, chain

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, DeadlineExpired, NotReady
from lakeproof.lake.capture.bridge import alone
from lakeproof.lake.capture.connector import Connector, find_connector
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
from lakeproof.lake.sources.engine import Ask
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack

STOP_SECONDS = 60.0
STATEMENT_SECONDS = 300.0
# A key of these types has one text in the lake and in the database.
_COMPARED_KEYS = ("BIGINT", "INT", "SMALLINT", "TINYINT", "STRING", "VARCHAR", "CHAR")
# So many rows are named in one DELETE.
_ROWS_A_STATEMENT = 500
# The last state of a job that was stopped with a savepoint and has committed all that the savepoint holds.
STOPPED = "FINISHED"

log = logging.getLogger(__name__)


def write_to_lake(
    stack: Stack, source: Source, *statements: str, once_stopped: Callable[[], Iterable[str]] = tuple
) -> None:
    """Run statements on the catalog `store` while the source's job is stopped with a savepoint: a table has one
    writer at a time. Then the job goes on. After a call was cut off, whoever submits the job ends the statement
    first.

    once_stopped: gives further statements, and is called once the job is stopped.
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
                for statement in chain(statements, once_stopped()):
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


@dataclass(frozen=True)
class TakenOut:
    """What was taken out of the lake's tables, as table → number of rows.

    second: rows that an append-only table held twice. gone: rows that the database has no more.
    beat_us: the database's heartbeat when it was looked for them. A row that was deleted before that time may be gone
    from the lake although the job has not come to its deletion yet.
    """

    second: Mapping[str, int]
    gone: Mapping[str, int]
    beat_us: int


def take_out_what_is_not_in_the_source(stack: Stack, source: Source) -> TakenOut:
    """Take out what all rows of a database leave behind where they are read anew: second rows in the append-only
    tables, and rows that were deleted while nobody read the log.

    For a caller that is `alone` with these tables and has `main` held, until the lake shows a heartbeat after
    `beat_us`. The database is looked at after the job was stopped: a row that comes back later comes by the job.
    A table whose key is of a type that may have several texts (a decimal, a time) keeps its rows, which is logged.
    Raises: as write_to_lake and Engine.at_one_instant.
    """
    connector, tables = find_connector(source.connector), job_files(stack, source)
    log.info("counting what the tables of %s hold twice", source.name)
    with paimon(stack) as session:
        twice = {each: _second_rows(session, source, each) for each in tables if not each.has_key}
        keys = {each: _keys(session, source, each) for each in tables if each.has_key}
    second = {each: count for each, count in twice.items() if count}
    gone: dict[str, int] = {}
    beats: list[int] = []

    def look() -> Iterator[str]:
        with source.module.at_one_instant(stack, source.name, STATEMENT_SECONDS) as ask:
            beats.append(_beat_us(ask, connector))
            for file, found in keys.items():
                there = {_as_text(row) for row in ask(f"SELECT {', '.join(file.key)} FROM {file.source}")}
                absent = sorted(found - there)
                if absent:
                    gone[f"{source.name}.{file.table}"] = len(absent)
                for some in batched(absent, _ROWS_A_STATEMENT):
                    yield f"DELETE FROM {_stored(source, file)} WHERE {_is_one_of(file, some)}"

    tables_anew = [_stored(source, file) for file in second]
    write_to_lake(
        stack,
        source,
        *(f"INSERT OVERWRITE {each} SELECT DISTINCT * FROM {each}" for each in tables_anew),
        once_stopped=look,
    )
    return TakenOut({f"{source.name}.{file.table}": count for file, count in second.items()}, gone, beats[0])


def beat_of_database(stack: Stack, source: Source) -> int:
    """The newest heartbeat in the database, in UNIX µs. Raises: CouldNotLook."""
    with source.module.at_one_instant(stack, source.name, STATEMENT_SECONDS) as ask:
        return _beat_us(ask, find_connector(source.connector))


def _beat_us(ask: Ask, connector: Connector) -> int:
    ((beat_us,),) = ask(f"SELECT beat_us FROM {connector.heartbeat_source}")
    return int(beat_us)


def _keys(session: PinnedFlink, source: Source, file: SqlFile) -> set[tuple[str, ...]]:
    """The keys of all rows that the lake's table holds, each value as text; none for a key that is not compared."""
    kinds = {name: file.columns[name] for name in file.key}
    if not all(kind.partition("(")[0].upper() in _COMPARED_KEYS for kind in kinds.values()):
        log.warning(
            "%s.%s: rows that were deleted in the gap stay, for its key is %s", source.name, file.table, kinds
        )
        return set()
    columns = ", ".join(f"`{name}`" for name in file.key)
    rows = session.run(f"SELECT {columns} FROM {_stored(source, file)}", Deadline(STATEMENT_SECONDS)).rows
    return {_as_text(row) for row in rows}


def _as_text(row: Sequence[object]) -> tuple[str, ...]:
    return tuple(str(value) for value in row)


def _is_one_of(file: SqlFile, keys: Iterable[Sequence[str]]) -> str:
    """The condition that takes the rows with these keys."""
    return " OR ".join(
        "(" + " AND ".join(_equals(file, name, value) for name, value in zip(file.key, key, strict=True)) + ")"
        for key in keys
    )


def _equals(file: SqlFile, name: str, value: str) -> str:
    is_text = file.columns[name].upper().startswith(("STRING", "VARCHAR", "CHAR"))
    quoted = "'" + value.replace("'", "''") + "'"
    return f"`{name}` = {quoted if is_text else int(value)}"


def in_counts(found: Mapping[str, int]) -> str:
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
