"""Take out of the lake's append-only tables the rows that they hold twice."""

from lakeproof.lake.capture import rewriting
from lakeproof.lake.job.writer import writer_of
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfDatabase) -> str:
    """By hand, for each table without a primary key that holds rows twice."""
    source = arguments.source
    table = f"store.{source.name}.TABLE"
    return (
        f"{source.job} stopped with a savepoint; in Flink's SQL client, with SET 'execution.runtime-mode' = 'batch',"
        f" SET 'pipeline.name' = '{writer_of(source)}' and the lake's Paimon catalog as store, for each table without"
        f" a key that holds rows twice: INSERT OVERWRITE {table} SELECT DISTINCT * FROM {table}; once that has ended,"
        f" {source.job} from its savepoint"
    )


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Take the second rows out; gives how many. Raises: as rewriting.remove_second_rows."""
    return f"second rows taken out: {rewriting.in_counts(rewriting.remove_second_rows(stack, arguments.source))}"


MITIGATION = Mitigation(
    "remove_second_rows", "take out of the append-only tables what they hold twice", typed, run, OfDatabase
)
