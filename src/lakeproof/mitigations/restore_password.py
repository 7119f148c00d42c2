"""Give the capture's database account the password again that the connector has."""

from lakeproof.lake.of_database import OfAccountOfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfAccountOfDatabase) -> str:
    """The password itself stays out of it."""
    source = arguments.source
    return source.module.password_statement(stack, arguments.user, f"(secret {source.secret(arguments.user)})")


def run(stack: Stack, arguments: OfAccountOfDatabase) -> str:
    """Set it."""
    source = arguments.source
    source.module.set_password(stack, arguments.user, stack.secret(source.secret(arguments.user)))
    name = source.module.account_name(stack, arguments.user)
    return f"account {name} of {arguments.database} has the connector's password again"


MITIGATION = Mitigation(
    "restore_password",
    "set the capture's password in the database to the connector's",
    typed,
    run,
    OfAccountOfDatabase,
)
