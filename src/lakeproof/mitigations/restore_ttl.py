"""Give the table of reservations the TTL of its schema again; reservations made from then on live their time."""

from typing import Annotated

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.engines.cassandra_ttl import NAME_PATTERN, RESERVATION_TTL, TTL_MAX, change_ttl, ttl_statement
from lakeproof.stack.stack import Stack

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class RestoreTtl(Arguments):
    """`ttl`: the default_time_to_live in seconds that the table is to have; its schema's, unless another is given."""

    keyspace: Name = "inventory"
    table: Name = "reservations"
    ttl: int = Field(RESERVATION_TTL, ge=1, le=TTL_MAX)


def typed(stack: Stack, arguments: RestoreTtl) -> str:
    """The statement, to be put into cqlsh."""
    return ttl_statement(arguments.keyspace, arguments.table, arguments.ttl)


def run(stack: Stack, arguments: RestoreTtl) -> str:
    """Alter the table and tell its old TTL, so that a person can go back; safe where it has the new one."""
    before = change_ttl(stack, arguments.keyspace, arguments.table, arguments.ttl)
    name = f"default_time_to_live of {arguments.keyspace}.{arguments.table}"
    if before == arguments.ttl:
        return f"{name} is {before} s already"
    return f"{name} was {before} s, is {arguments.ttl} s"


MITIGATION = Mitigation(
    "restore_ttl", "give the table of reservations the TTL of its schema again", typed, run, RestoreTtl
)
