"""A statement that writes a database's tables of the lake in the place of its job (capture/rewriting.py).

Never both at once: what the job commits while the statement runs would be gone with the statement's own commit.
Whoever submits the job ends such a statement first, for the process that began it may have been killed. Until Flink
lists the statement's job only the gateway knows of it, so a mark tells the statement's session.
"""

from contextlib import suppress
from pathlib import Path

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, TransientError
from lakeproof.lake.job.flink_rest import ALIVE, ENDING, FlinkRefused, FlinkRest, Job
from lakeproof.lake.sources.source import Source
from lakeproof.stack.stack import Stack
from lakeproof.written import read_if_there, write_file

END_SECONDS = 30.0
# After the end of its session, how long it may take until a statement that was sent just before is listed.
LISTED_SECONDS = 3.0


class WriterStays(TransientError):
    """A statement that writes the job's tables does not end, so the job must not be submitted."""


def writer_of(source: Source) -> str:
    """The name of such a statement's job."""
    return f"lakeproof-write-{source.name}"


def begin_writing(stack: Stack, source: Source, session: str) -> None:
    """Call it before such a statement is sent. session: the URL of the statement's session in the gateway."""
    write_file(_mark(stack, source), session)


def all_is_done(stack: Stack, source: Source) -> None:
    """The statement has ended, and so has its session."""
    _mark(stack, source).unlink(missing_ok=True)


def end_writer(stack: Stack, flink: FlinkRest, source: Source) -> None:
    """End such a statement, where there may be one. Raises: WriterStays; FlinkUnreachable."""
    session = read_if_there(_mark(stack, source))
    if session:
        _close(session, source)

    def there() -> list[Job]:
        return [job for job in flink.jobs() if job.name == writer_of(source) and job.state in ALIVE | ENDING]

    def ended() -> bool | None:
        for job in there():
            with suppress(FlinkRefused):  # it has ended since
                flink.cancel(job.id)
            return None
        return True if quiet.expired else None

    quiet = Deadline(LISTED_SECONDS if session else 0.0)
    try:
        Deadline(END_SECONDS).wait_for(f"{writer_of(source)} to end", ended)
    except DeadlineExpired as late:
        raise _stays(source) from late
    all_is_done(stack, source)


def _close(session: str, source: Source) -> None:
    """Close the session: the gateway sends nothing more for it then. A gateway that is gone sends nothing either."""
    try:
        answer = httpx.delete(session, timeout=END_SECONDS, trust_env=False)
    except httpx.ConnectError:
        return
    except httpx.HTTPError as silent:
        raise _stays(source) from silent
    # Flink answers 500 also where there is no such session: it was closed before, or the gateway was started anew.
    if answer.is_error and "does not exist" not in answer.text:
        raise _stays(source)


def _stays(source: Source) -> WriterStays:
    return WriterStays(
        f"{writer_of(source)} may still write its tables, although it was cancelled",
        where=source.job,
        next_action="lakeproof restart flink-sql-gateway; then lakeproof diagnose",
    )


def _mark(stack: Stack, source: Source) -> Path:
    # In no component's folder: a start of Flink empties those of its own.
    return stack.data_dir("lake") / f"{source.name}-writing"
