"""Give the capture's database account the password again that the connector has."""

from lakeproof.errors import TerminalError
from lakeproof.lake.of_database import OfAccountOfDatabase
from lakeproof.lake.sources.source import Source
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.probes.connect import task_state
from lakeproof.probes.exporters import LATE_MILLIS, source_lag
from lakeproof.stack.stack import Stack

LOOK_SECONDS = 3.0


def typed(stack: Stack, arguments: OfAccountOfDatabase) -> str:
    """The statement, without the password itself."""
    source = arguments.source
    return source.module.password_statement(stack, arguments.user, f"(secret {source.secret(arguments.user)})")


def run(stack: Stack, arguments: OfAccountOfDatabase) -> str:
    """Set the password.

    Raises: TerminalError in mode "external" while the capture keeps up, CouldNotLook where nobody can tell.
    """
    source = arguments.source
    if stack.settings.mode == "external":
        _require_behind(stack, source)
    source.module.set_password(stack, arguments.user, stack.secret(source.secret(arguments.user)))
    name = source.module.account_name(stack, arguments.user)
    return f"account {name} of {arguments.database} has the connector's password again"


def _require_behind(stack: Stack, source: Source) -> None:
    """Somebody else's Connect reads its passwords from a file of its own. Where the capture keeps up, that file has
    the right one, and ours would lock the connector out.
    """
    if task_state(stack, LOOK_SECONDS, source) != "RUNNING":
        return
    lag = source_lag(stack, LOOK_SECONDS, source)
    if isinstance(lag, int) and lag < LATE_MILLIS:
        raise TerminalError(
            f"the task of {source.connector} runs, {lag} ms behind: the connector's password is right",
            where=source.secret("cdc"),
            next_action="set that secret in lakeproof.toml to the password that the database has now",
        )


MITIGATION = Mitigation(
    "restore_password",
    "set the capture's password in the database to the connector's",
    typed,
    run,
    OfAccountOfDatabase,
)
