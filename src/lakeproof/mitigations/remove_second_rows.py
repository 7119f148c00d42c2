"""Take out of the lake's append-only tables the rows that they hold twice."""

from lakeproof.lake.capture import rewriting
from lakeproof.lake.of_database import OfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfDatabase) -> str:
    """By hand, for each table without a key."""
    job = arguments.source.job
    return (
        f"stop {job} with a savepoint; by Flink's SQL gateway, for each append-only table of {arguments.database}:"
        f" INSERT OVERWRITE store.{arguments.database}.TABLE SELECT DISTINCT * FROM store.{arguments.database}.TABLE;"
        f" {job} from its savepoint"
    )


def run(stack: Stack, arguments: OfDatabase) -> str:
    """Take them out; gives how many. Raises: as rewriting.remove_second_rows."""
    found = rewriting.remove_second_rows(stack, arguments.source)
    rows = ", ".join(f"{count} of {table}" for table, count in found.items()) or "none"
    return f"rows that were there twice, and went: {rows}"


MITIGATION = Mitigation(
    "remove_second_rows", "take out of the append-only tables what they hold twice", typed, run, OfDatabase
)
