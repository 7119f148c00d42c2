"""What is asked of a source's engine: the functions that mariadb.py and postgres.py both have."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from lakeproof.errors import InvalidInput

if TYPE_CHECKING:
    from lakeproof.lake.capture.connector import Connector
    from lakeproof.stack.stack import Stack


# The account that a connector logs in with, and the one that only looks on.
CAPTURE_USER = "cdc"
READER = "reader"
ASK_SECONDS = 5.0
# At most this many values of a dropped column are listed.
KEPT_VALUES = 20

# A function that is given the values of a column that is about to be dropped.
type Keep = Callable[[list[str]], None]
# A function that runs a statement and gives all its rows.
type Ask = Callable[[str], Sequence[Sequence[Any]]]


@dataclass(frozen=True)
class Definition:
    """A column as the database defines it.

    kind: its type with its size, in the server's own words, in lower case.
    has_default: a row that does not name the column gets a value.
    generated: the server computes it.
    """

    kind: str
    nullable: bool
    has_default: bool
    generated: bool


def nothing_to_grant(user: str, known: Sequence[str]) -> InvalidInput:
    """The error that grant_statements raises for an account that is not listed."""
    return InvalidInput(
        "nothing is known of what this account is meant to have, so there is nothing to grant",
        where=user,
        next_action=f"leave user out for the capture's account; or one of {', '.join(known)}",
    )


class Engine(Protocol):
    """A module of this folder. Every call that asks a server raises NotReady where the server does not answer, except
    `connect` and `beat`: these raise one of TROUBLES.
    """

    TROUBLES: tuple[type[Exception], ...]
    # Whether the step restore_column can bring back a column that was dropped.
    RESTORES_COLUMNS: bool

    # The heartbeat (capture/heartbeat.py).

    def connect(self, stack: "Stack", user: str, seconds: float, database: str) -> Any:
        """A connection of that account, in autocommit, every step within `seconds`."""

    def beat(self, connection: Any, table: str, seconds: float) -> int:
        """Write the time into the heartbeat's one row; gives it, in microseconds by the database's clock."""

    # What the database holds, to be compared with the lake (proof/tables/readers.py).

    def at_one_instant(self, stack: "Stack", database: str, seconds: float) -> AbstractContextManager[Ask]:
        """Asks as the account `reader` within one transaction, whose snapshot is taken now; each statement may take
        `seconds`. The block and every question raise CouldNotLook where there is no answer.
        """

    def described(self, ask: Ask, schema: str, table: str) -> Sequence[Sequence[Any]]:
        """(column, type in the server's own words, is it in the primary key?) in the table's order; none where there
        is no such table. Raises: as `ask`.
        """

    # The columns of the captured tables (capture/columns.py).

    def columns(self, stack: "Stack", connector: "Connector", seconds: float) -> dict[str, dict[str, str]]:
        """Captured table, as the connector names it → column → type in the server's own words, in lower case."""

    def definition(self, stack: "Stack", connector: "Connector", table: str, column: str) -> Definition | None:
        """The column's definition now, asked by the account `reader`; None where there is no such column."""

    def values_in(self, stack: "Stack", connector: "Connector", table: str, column: str) -> list[str]:
        """The distinct values of that column as text, without NULL; KEPT_VALUES at most."""

    def drop_column(self, stack: "Stack", connector: "Connector", table: str, column: str, keep: Keep) -> None:
        """Lock everybody else out of the table, give `keep` the column's values (as `values_in`), drop the column.

        Where `keep` raises, nothing is dropped. Raises: NotReady, also where the table is in use for too long.
        """

    def rename_column(self, stack: "Stack", connector: "Connector", table: str, column: str, name: str) -> None:
        """Give the column that name."""

    # Tables that begin to be captured (capture/backfill.py).

    def has_rows(self, stack: "Stack", connector: "Connector", table: str) -> bool:
        """True where the table is not empty now."""

    def send_signal(self, stack: "Stack", connector: "Connector", name: str, data: str) -> None:
        """Ask the running connector to read tables anew, by a row in its table of signals."""

    # The log that a connector reads: the server's settings that keep changes, or parts of rows, out of the log.

    def log_lacks(self, stack: "Stack", connector: "Connector", seconds: float) -> list[str]:
        """The settings that differ from what the capture needs, one line each. Asked by the account `reader`."""

    def log_statements(self, connector: "Connector") -> tuple[str, ...]:
        """The superuser's SQL that corrects all of these settings. No server is asked which of them are wrong."""

    def restore_log(self, stack: "Stack", connector: "Connector") -> int:
        """Correct the settings; gives how many sessions were ended because they would have kept the old settings.

        What was written before stays in the log as it is. Raises: TerminalError where only a server's restart helps.
        """

    # The accounts, above all the one that a connector logs in with. `user` is what we call it (mysql_accounts.py,
    # postgres_accounts.py); the settings may give it another name, under which the server knows it.

    def account_name(self, stack: "Stack", user: str) -> str:
        """What the server calls that account."""

    def accepts(self, stack: "Stack", user: str, seconds: float = ASK_SECONDS) -> bool:
        """Does the account take the password that this stack has for it?"""

    def set_password(self, stack: "Stack", user: str, password: str) -> None:
        """Give the account that password."""

    def password_statement(self, stack: "Stack", user: str, password: str) -> str:
        """The SQL of set_password."""

    def grant(self, stack: "Stack", user: str) -> int:
        """Give the account every privilege that it is meant to have. Gives how many connections were ended so that
        the privileges count: 0 where none was missing. Raises: as grant_statements.
        """

    def grant_statements(self, stack: "Stack", user: str) -> tuple[str, ...]:
        """The SQL of grant. Raises: InvalidInput for an account of which nothing is known."""

    def end_connections(self, stack: "Stack", user: str) -> int:
        """End the account's connections; gives how many."""
