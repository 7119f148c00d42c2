"""Give the capture's database account the password again that the connector has."""

from lakeproof.arguments import Arguments
from lakeproof.lake.capture import account
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class RestorePassword(Arguments):
    """`user`: the database account."""

    user: str = "cdc"


def typed(stack: Stack, arguments: RestorePassword) -> str:
    """The password itself stays out of it."""
    return f"ALTER USER '{arguments.user}'@'%' IDENTIFIED BY '(secret mysql-{arguments.user})'"


def run(stack: Stack, arguments: RestorePassword) -> str:
    """Set it."""
    account.set_password(stack, arguments.user, stack.secret(f"mysql-{arguments.user}"))
    return f"account {arguments.user} has the connector's password again"


MITIGATION = Mitigation(
    "restore_password", "set the capture's password in the database to the connector's", typed, run, RestorePassword
)
