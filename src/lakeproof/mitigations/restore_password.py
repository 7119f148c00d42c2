"""Give the capture's database account the password again that the connector has."""

from typing import Literal

from lakeproof.arguments import Arguments
from lakeproof.lake.capture import account, postgres_account
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class RestorePassword(Arguments):
    """`user`: the database account. `database`: oltp (in MariaDB) or shop (in PostgreSQL)."""

    user: str = "cdc"
    database: Literal["oltp", "shop"] = "oltp"


def typed(stack: Stack, arguments: RestorePassword) -> str:
    """The password itself stays out of it."""
    if arguments.database == "shop":
        return postgres_account.password_statement(arguments.user, f"(secret postgres-{arguments.user})")
    return f"ALTER USER '{arguments.user}'@'%' IDENTIFIED BY '(secret mysql-{arguments.user})'"


def run(stack: Stack, arguments: RestorePassword) -> str:
    """Set it."""
    if arguments.database == "shop":
        postgres_account.set_password(stack, arguments.user, stack.secret(f"postgres-{arguments.user}"))
    else:
        account.set_password(stack, arguments.user, stack.secret(f"mysql-{arguments.user}"))
    return f"account {arguments.user} of {arguments.database} has the connector's password again"


MITIGATION = Mitigation(
    "restore_password", "set the capture's password in the database to the connector's", typed, run, RestorePassword
)
