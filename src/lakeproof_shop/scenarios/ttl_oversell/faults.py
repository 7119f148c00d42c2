"""Faults of the scenario ttl-oversell."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from lakeproof.faults.fault import Fault, Sign
from lakeproof.processes.environment import RESERVATION_TTL as RESERVATION_SETTING
from lakeproof.processes.handed_variable import lend_variable, take_back_variable
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file
from lakeproof_shop.scenarios.ttl_oversell.cassandra_ttl import (
    NAME_PATTERN,
    RESERVATION_TTL,
    TTL_MAX,
    change_ttl,
    ttl_of,
)
from lakeproof_shop.scenarios.ttl_oversell.probes import SERVICE, setting

LOOK_SECONDS = 3.0


class ShortenedSetting(Fault):
    """Start the inventory service with a reservation time that is far too short.

    The inventory service is started with a setting that is far too short: it gives customers' goods back too early.

    The table's own TTL is as it was, so a look at the table shows nothing. The value that the service was started
    with is noted first, since somebody may have given it a time of its own.

    `seconds`: reservation_ttl_seconds of the inventory service alone.
    """

    seconds: int = Field(30, ge=1, le=86_400)

    def inject(self, stack: Stack) -> None:
        """Restart the service with the short setting; safe where it has it."""
        lend_variable(stack, SERVICE, RESERVATION_SETTING, str(self.seconds), _note(stack))

    def remove(self, stack: Stack) -> None:
        """Restart the service with its old setting; safe where it has that, or was never started."""
        take_back_variable(stack, SERVICE, RESERVATION_SETTING, str(self.seconds), _note(stack))

    def sign(self, stack: Stack) -> Sign:
        """The service itself tells the short setting."""
        found = setting(stack, LOOK_SECONDS)
        return Sign(found == self.seconds, f"reservation_ttl_seconds of {SERVICE} is {found} s")


def _note(stack: Stack) -> Path:
    """Keeps the value that the service was started with before."""
    return stack.data_dir(SERVICE) / "before-shortened_setting"


Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class ShortenedTtl(Fault):
    """Let reservations vanish after seconds: ALTER TABLE … default_time_to_live.

    The table of reservations gets a TTL that is far too short: what customers hold vanishes under them.

    The table's old TTL is noted first, since its owner may have given it another one than the schema's.

    `ttl`: the new default_time_to_live in seconds. `previous_ttl`: what `remove` sets; None: the TTL of before.
    """

    keyspace: Name = "inventory"
    table: Name = "reservations"
    ttl: int = Field(5, ge=1, le=TTL_MAX)
    previous_ttl: int | None = Field(None, ge=0, le=TTL_MAX)

    def inject(self, stack: Stack) -> None:
        """Shorten the TTL; rows that are there keep their end, new ones get the short one."""
        before = ttl_of(stack, self.keyspace, self.table)
        # A TTL of 0 is refused below. A TTL that is shortened already was noted before.
        if before not in (0, self.ttl):
            write_file(self._note(stack), str(before))
        change_ttl(stack, self.keyspace, self.table, self.ttl, spare_endless=True)

    def remove(self, stack: Stack) -> None:
        """Set the previous TTL again: what is given, else what was noted, else the schema's where it is still
        short.
        """
        note, previous = self._note(stack), self.previous_ttl
        if previous is None and note.exists():
            previous = int(note.read_text(encoding="utf-8"))
        if previous is None and self.sign(stack).holds:
            previous = RESERVATION_TTL
        if previous is not None:
            change_ttl(stack, self.keyspace, self.table, previous)
        note.unlink(missing_ok=True)

    def sign(self, stack: Stack) -> Sign:
        """The table's own description says the short TTL."""
        ttl = ttl_of(stack, self.keyspace, self.table)
        return Sign(ttl == self.ttl, f"default_time_to_live of {self.keyspace}.{self.table} is {ttl} s")

    def _note(self, stack: Stack) -> Path:
        """Keeps the TTL that the table had before."""
        return stack.data_dir(SERVICE) / f"previous-ttl-{self.keyspace}.{self.table}"
