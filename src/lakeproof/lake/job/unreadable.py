"""Gets a job past a value that its declared types refuse.

The record stays in the topic as it is, whatever is corrected in the database. A job that is started from its newest
checkpoint meets the record again and fails again. It has to read the column as text once, until the correction, which
is a later record, has gone through as well; then it reads the column as declared again. For a moment the lake may
show NULL there.
"""

import logging
import time
from pathlib import Path

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook, InvalidInput
from lakeproof.lake.job.added_columns import job_files
from lakeproof.lake.job.bridging import bridging
from lakeproof.lake.job.sql_files import SqlFile
from lakeproof.lake.job.submission import redeploy
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file

log = logging.getLogger(__name__)

PASS_SECONDS = 120.0


def pass_unreadable(stack: Stack, source: Source, table: str, column: str) -> None:
    """Have the job read that column (of a captured table, as the connector names it) as text until `main` shows a
    heartbeat from after this call. Then have it read the column as declared again, from a savepoint.

    Call it once the rows in the database are right again. While the job reads the column as text, a mark says so
    (`reads_as_text`): a value that its type refuses would then become NULL in the lake without a word.
    Safe to repeat. One call at a time, and none beside another repair of the database's tables in the lake: of two
    calls, the first would take the mark away while the job still reads text for the second.
    Raises: HeldByAnother; InvalidInput for an unknown column, or one of a key; what `redeploy` raises;
    DeadlineExpired where `main` does not get there: then the job goes on reading text.
    """

    def tolerant(files: tuple[SqlFile, ...]) -> tuple[SqlFile, ...]:
        return tuple(file.reading_as_text(column) if file.source == table else file for file in files)

    files = job_files(stack, source)
    if table not in {file.source for file in files}:
        raise InvalidInput("the lake has no such table", where=table, next_action="name one of lake/jobs")
    tolerant(files)  # raises before anything is changed
    mark = _mark(stack, source)
    with bridging(stack, source):
        write_file(mark, f"{table}.{column}")
        called_us = time.time() * 1e6
        redeploy(stack, source, rewrite=tolerant)
        log.info("%s reads %s.%s as text, until main has caught up", source.job, table, column)

        def caught_up() -> bool | None:
            try:
                beat = history.newest(stack).beat_of(source.name)
            except CouldNotLook:
                return None
            return True if beat is not None and beat > called_us else None

        Deadline(PASS_SECONDS).wait_for(f"main to show {source.name} as it is now", caught_up, every=0.5)
        redeploy(stack, source)
        mark.unlink(missing_ok=True)


def finish_pass(stack: Stack, source: Source) -> str | None:
    """Go on with a call that was cut off; gives the column that it was about, None where there was none.

    Where capture has stopped, the value that the job refuses may still have to come: `main` is waited for once more.
    Raises: as pass_unreadable.
    """
    column = reads_as_text(stack, source)
    if column is not None:
        table, _, name = column.rpartition(".")
        pass_unreadable(stack, source, table, name)
    return column


def reads_as_text(stack: Stack, source: Source) -> str | None:
    """The column that the job may still read as text, since a call was cut off; None: it reads as declared."""
    return read_if_there(_mark(stack, source))


def _mark(stack: Stack, source: Source) -> Path:
    return stack.data_dir("flink-jobmanager") / f"{source.name}-reads-as-text"
