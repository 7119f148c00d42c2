"""The table of reservations gets a TTL that is far too short: what customers hold vanishes under them.

The table's old TTL is noted first, since its owner may have given it another one than the schema's.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.faults.fault import Fault, Sign
from lakeproof.probes.inventory import SERVICE
from lakeproof.stack.engines.cassandra_ttl import NAME_PATTERN, RESERVATION_TTL, TTL_MAX, change_ttl, ttl_of
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class ShortenedTtl(Arguments):
    """`ttl`: the new default_time_to_live in seconds. `previous_ttl`: what `remove` sets; None: the TTL of before."""

    keyspace: Name = "inventory"
    table: Name = "reservations"
    ttl: int = Field(5, ge=1, le=TTL_MAX)
    previous_ttl: int | None = Field(None, ge=0, le=TTL_MAX)


def inject(stack: Stack, arguments: ShortenedTtl) -> None:
    """Shorten the TTL; rows that are there keep their end, new ones get the short one."""
    before = ttl_of(stack, arguments.keyspace, arguments.table)
    # A TTL of 0 is refused below. A TTL that is shortened already was noted before.
    if before not in (0, arguments.ttl):
        write_file(_note(stack, arguments), str(before))
    change_ttl(stack, arguments.keyspace, arguments.table, arguments.ttl, spare_endless=True)


def remove(stack: Stack, arguments: ShortenedTtl) -> None:
    """Set the previous TTL again: what is given, else what was noted, else the schema's where it is still short."""
    note, previous = _note(stack, arguments), arguments.previous_ttl
    if previous is None and note.exists():
        previous = int(note.read_text(encoding="utf-8"))
    if previous is None and sign(stack, arguments).holds:
        previous = RESERVATION_TTL
    if previous is not None:
        change_ttl(stack, arguments.keyspace, arguments.table, previous)
    note.unlink(missing_ok=True)


def sign(stack: Stack, arguments: ShortenedTtl) -> Sign:
    """The table's own description says the short TTL."""
    ttl = ttl_of(stack, arguments.keyspace, arguments.table)
    return Sign(ttl == arguments.ttl, f"default_time_to_live of {arguments.keyspace}.{arguments.table} is {ttl} s")


def _note(stack: Stack, arguments: ShortenedTtl) -> Path:
    """Keeps the TTL that the table had before."""
    return stack.data_dir(SERVICE) / f"previous-ttl-{arguments.keyspace}.{arguments.table}"


FAULT = Fault(
    "shortened_ttl",
    "let reservations vanish after seconds: ALTER TABLE … default_time_to_live",
    inject,
    remove,
    sign,
    ShortenedTtl,
)
