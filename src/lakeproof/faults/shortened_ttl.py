"""The table of reservations gets a TTL that is far too short: what customers hold vanishes under them."""

from typing import Annotated

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.stack.engines.cassandra_ttl import NAME_PATTERN, RESERVATION_TTL, TTL_MAX, change_ttl, ttl_of
from lakeproof.stack.stack import Stack

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class ShortenedTtl(Arguments):
    """`ttl`: the new default_time_to_live in seconds; `previous_ttl`: what `remove` sets again."""

    keyspace: Name = "inventory"
    table: Name = "reservations"
    ttl: int = Field(5, ge=1, le=TTL_MAX)
    previous_ttl: int = Field(RESERVATION_TTL, ge=0, le=TTL_MAX)


def inject(stack: Stack, arguments: ShortenedTtl) -> None:
    """Shorten it; rows that are there keep their end, new ones get the short one."""
    change_ttl(stack, arguments.keyspace, arguments.table, arguments.ttl, spare_endless=True)


def remove(stack: Stack, arguments: ShortenedTtl) -> None:
    """Set the previous TTL again."""
    change_ttl(stack, arguments.keyspace, arguments.table, arguments.previous_ttl)


def sign(stack: Stack, arguments: ShortenedTtl) -> Sign:
    """The table's own description says the short TTL."""
    ttl = ttl_of(stack, arguments.keyspace, arguments.table)
    return Sign(ttl == arguments.ttl, f"default_time_to_live of {arguments.keyspace}.{arguments.table} is {ttl} s")


FAULT = Fault(
    "shortened_ttl",
    "let reservations vanish after seconds: ALTER TABLE … default_time_to_live",
    inject,
    remove,
    sign,
    ShortenedTtl,
)
