"""Flink's JobManager: the lake's jobs, submitted once it is ready, and stopped with savepoints before it stops."""

from concurrent.futures import ThreadPoolExecutor

from lakeproof.lake.job import ensure_submitted, stop_with_savepoint
from lakeproof.lake.sources.source import SOURCES, present
from lakeproof.stack.stack import Stack


def provision(stack: Stack) -> None:
    """Submit each of the lake's jobs that is not there, from its newest complete state."""
    for database in present(stack):
        ensure_submitted(stack, database)


def before_stop(stack: Stack) -> None:
    """Stop the lake's jobs with a savepoint each; where that fails, their checkpoints are kept anyhow."""
    with ThreadPoolExecutor(len(SOURCES)) as pool:
        stopping = [pool.submit(stop_with_savepoint, stack, database, 30.0) for database in SOURCES]
    for each in stopping:
        each.result()
