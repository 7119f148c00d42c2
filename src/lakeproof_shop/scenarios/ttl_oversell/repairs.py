"""Repairs of the scenario ttl-oversell."""

from typing import Annotated

from pydantic import Field

from lakeproof.errors import CouldNotLook
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes.environment import RESERVATION_TTL as RESERVATION_SETTING
from lakeproof.processes.handed_variable import hand_variable, handed_variables, last_handed, start_by_hand
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.ttl_oversell.cassandra_ttl import (
    NAME_PATTERN,
    RESERVATION_TTL,
    TTL_MAX,
    change_ttl,
    ttl_statement,
)
from lakeproof_shop.scenarios.ttl_oversell.probes import SERVICE, setting

LOOK_SECONDS = 3.0


class RestoreSetting(Mitigation):
    """Restart the inventory service with the stack's own reservation time."""

    def typed(self, stack: Stack) -> str:
        """The same by hand. `start` hands on what this shell has set, so the variable must not be set there."""
        start = start_by_hand(SERVICE, last_handed(stack, SERVICE) | {RESERVATION_SETTING: None})
        return f"unset {RESERVATION_SETTING}; lakeproof stop {SERVICE}; {start}"

    def run(self, stack: Stack) -> str:
        """Restart the service, and return once it is healthy and tells its setting; safe where it has the stack's
        own. A service without a process is started with the stack's setting: a run of this may have been cut off,
        and the
        supervisor still has the short one.

        Raises: CouldNotLook where the service does not tell its setting.
        """
        client = our_processes(stack, f"restart {SERVICE}")
        before = handed_variables(stack, SERVICE).get(RESERVATION_SETTING)
        if before is not None or client.row(SERVICE).pid is None:
            hand_variable(stack, SERVICE, RESERVATION_SETTING, None)
        now = setting(stack, LOOK_SECONDS)
        if now is None:
            raise CouldNotLook("it does not tell its setting", where=SERVICE, next_action=f"lakeproof logs {SERVICE}")
        if before is None:
            return f"reservation_ttl_seconds of {SERVICE} is {now:g} s, as the stack's settings say"
        return f"reservation_ttl_seconds of {SERVICE} was {before} s, is {now:g} s"


Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class RestoreTtl(Mitigation):
    """Give the table of reservations the TTL of its schema again.

    `ttl`: the default_time_to_live in seconds that the table is to have; its schema's, unless another is given.
    """

    keyspace: Name = "inventory"
    table: Name = "reservations"
    ttl: int = Field(RESERVATION_TTL, ge=1, le=TTL_MAX)

    def typed(self, stack: Stack) -> str:
        """The statement, to be put into cqlsh."""
        return ttl_statement(self.keyspace, self.table, self.ttl)

    def run(self, stack: Stack) -> str:
        """Alter the table and tell its old TTL, so that a person can go back; safe where it has the new one."""
        before = change_ttl(stack, self.keyspace, self.table, self.ttl)
        name = f"default_time_to_live of {self.keyspace}.{self.table}"
        if before == self.ttl:
            return f"{name} is {before} s already"
        return f"{name} was {before} s, is {self.ttl} s"
