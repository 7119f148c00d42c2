"""Asking the lake one question, by whichever engine, at one published hash."""

from collections.abc import Callable

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.lake.publish import history
from lakeproof.lake.publish.commit import PublishedCommit
from lakeproof.lake.query.answer import Answer
from lakeproof.lake.query.flink import pinned_flink
from lakeproof.lake.query.spark import pinned_spark
from lakeproof.lake.query.statement import require_reading
from lakeproof.lake.query.trino import PERSONS_SOURCE, pinned_trino
from lakeproof.stack.stack import Stack

ENGINES = ("trino", "flink", "spark")


def ask(
    stack: Stack,
    sql: str,
    *,
    engine: str = "trino",
    at: str | None = None,
    seconds: float = 300.0,
    progress: Callable[[str], None] = lambda text: None,
) -> tuple[PublishedCommit, Answer]:
    """What `engine` answers to `sql` with every table at hash `at` (None: the newest).

    Raises: InvalidInput for a statement that writes, an unknown engine, a hash that is not there or has expired;
    StatementFailed with the engine's message; CouldNotLook where Nessie or the engine does not answer.
    """
    if engine not in ENGINES:
        raise InvalidInput(f"no engine {engine!r} reads the lake", next_action=f"one of {', '.join(ENGINES)}")
    statement = require_reading(sql)
    deadline = Deadline(seconds)
    commit = history.newest(stack) if at is None else history.find(stack, at, readable=True)
    if engine == "trino":
        with pinned_trino(stack, commit, deadline, PERSONS_SOURCE) as trino:
            return commit, trino.run(statement, deadline, progress=progress)
    if engine == "spark":
        with pinned_spark(stack, commit, deadline, progress) as spark:
            return commit, spark.run(statement, deadline, progress=progress)
    with pinned_flink(stack, commit, deadline, progress) as flink:
        return commit, flink.run(statement, deadline, progress=progress)
