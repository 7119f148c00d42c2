"""Give the capture's database account the password again that the connector has."""

from lakeproof.arguments import Arguments
from lakeproof.lake.sources.source import OLTP, SourceName, engine_of, find_source
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class RestorePassword(Arguments):
    """`user`: the database account. `database`: oltp (in MariaDB) or shop (in PostgreSQL)."""

    user: str = "cdc"
    database: SourceName = OLTP.name


def typed(stack: Stack, arguments: RestorePassword) -> str:
    """The password itself stays out of it."""
    engine = engine_of(find_source(arguments.database).engine)
    return engine.password_statement(arguments.user, f"(secret {engine.secret(arguments.user)})")


def run(stack: Stack, arguments: RestorePassword) -> str:
    """Set it."""
    engine = engine_of(find_source(arguments.database).engine)
    engine.set_password(stack, arguments.user, stack.secret(engine.secret(arguments.user)))
    return f"account {arguments.user} of {arguments.database} has the connector's password again"


MITIGATION = Mitigation(
    "restore_password", "set the capture's password in the database to the connector's", typed, run, RestorePassword
)
