"""Give the capture's database account the password again that the connector has."""

from lakeproof.arguments import Arguments
from lakeproof.lake.sources.source import OLTP, SourceName, find_source
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class RestorePassword(Arguments):
    """`user`: the database account. `database`: oltp (in MariaDB) or shop (in PostgreSQL)."""

    user: str = "cdc"
    database: SourceName = OLTP.name


def typed(stack: Stack, arguments: RestorePassword) -> str:
    """The password itself stays out of it."""
    source = find_source(arguments.database)
    return source.module.password_statement(arguments.user, f"(secret {source.secret(arguments.user)})")


def run(stack: Stack, arguments: RestorePassword) -> str:
    """Set it."""
    source = find_source(arguments.database)
    source.module.set_password(stack, arguments.user, stack.secret(source.secret(arguments.user)))
    return f"account {arguments.user} of {arguments.database} has the connector's password again"


MITIGATION = Mitigation(
    "restore_password", "set the capture's password in the database to the connector's", typed, run, RestorePassword
)
