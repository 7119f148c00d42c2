"""A statement that writes a database's tables of the lake in the place of its job (capture/rewriting.py).

Never both: what the job commits while the statement runs would be gone with the statement's own commit. Whoever
submits the job ends such a statement first, for the one that began it may have been killed.
"""

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, TransientError
from lakeproof.lake.job.flink_rest import ALIVE, ENDING, FlinkRest, Job
from lakeproof.lake.sources.source import Source

END_SECONDS = 30.0


class WriterStays(TransientError):
    """Such a statement does not end, so the job must not be submitted."""


def writer_of(source: Source) -> str:
    """The name of such a statement's job."""
    return f"lakeproof-write-{source.name}"


def end_writer(flink: FlinkRest, source: Source) -> None:
    """Cancel such a statement, and return once it has ended. Raises: WriterStays; FlinkUnreachable, FlinkRefused."""

    def there() -> list[Job]:
        return [job for job in flink.jobs() if job.name == writer_of(source) and job.state in ALIVE | ENDING]

    for job in there():
        flink.cancel(job.id)
    try:
        Deadline(END_SECONDS).wait_for(f"{writer_of(source)} to end", lambda: None if there() else True)
    except DeadlineExpired as late:
        raise WriterStays(
            f"{writer_of(source)} still writes its tables, although it was cancelled",
            where=source.job,
            next_action="lakeproof restart flink-taskmanager",
        ) from late
