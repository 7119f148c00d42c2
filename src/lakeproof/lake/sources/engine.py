"""What is asked of a source's engine: the functions that mariadb.py and postgres.py both have."""

import re
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lakeproof.lake.capture.connector import Connector
    from lakeproof.stack.stack import Stack


# The account that a connector logs in with, and the one that only looks on.
CAPTURE_USER = "cdc"
READER = "reader"
ASK_SECONDS = 5.0
# So many values of a column that is dropped are listed.
KEPT_VALUES = 20


class Beats(Protocol):
    """Where heartbeats are written; it connects by itself."""

    def write(self) -> int:
        """One beat, committed when this returns: microseconds since the epoch by the database's clock.

        Raises: NotReady, and gives the connection up; the next call makes a new one.
        """

    def close(self) -> None:
        """Give the connection up, in whatever state it is."""


class Engine(Protocol):
    """A module of this folder. Every call that asks a server raises NotReady where the server does not answer."""

    # How a connector's file names a table.
    TABLE: re.Pattern[str]
    # The key of an event's `source` with what stands before the table's name.
    ABOVE: str

    def captured(self, database: str, table: str) -> str:
        """A table of a connector's file as the connector names it."""

    def beats(self, stack: "Stack", connector: "Connector") -> Beats:
        """The connector's heartbeat table."""

    # The columns of the captured tables (capture/columns.py).

    def columns(self, stack: "Stack", connector: "Connector", seconds: float) -> dict[str, dict[str, str]]:
        """Captured table, as the connector names it → column → type in the server's own words, in lower case."""

    def values_in(self, stack: "Stack", connector: "Connector", table: str, column: str) -> list[str]:
        """The different values of that column but NULL, as text; KEPT_VALUES at most."""

    def drop_column(self, stack: "Stack", connector: "Connector", table: str, column: str) -> None:
        """Drop the column; fine where it is not there."""

    # Tables that begin to be captured (capture/backfill.py).

    def has_rows(self, stack: "Stack", connector: "Connector", table: str) -> bool:
        """True where the table is not empty now."""

    def send_signal(self, stack: "Stack", connector: "Connector", name: str, data: str) -> None:
        """Ask the running connector to read tables anew, by a row in its table of signals."""

    # The account that a connector logs in with.

    def accepts(self, stack: "Stack", user: str, seconds: float = ASK_SECONDS) -> bool:
        """Does the account take the password that this stack has for it?"""

    def set_password(self, stack: "Stack", user: str, password: str) -> None:
        """Give the account that password."""

    def password_statement(self, user: str, password: str) -> str:
        """The SQL for it."""

    def grant(self, stack: "Stack", user: str) -> int:
        """Give the account every privilege that it is meant to have; gives how many connections had to end for it."""

    def grant_statements(self, user: str) -> tuple[str, ...]:
        """The SQL for it."""

    def end_connections(self, stack: "Stack", user: str) -> int:
        """End the account's connections; gives how many."""
