"""Give the capture's database account every privilege that it is meant to have."""

from typing import Literal

from lakeproof.arguments import Arguments
from lakeproof.lake.capture import account, postgres_account
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.engines import mysql_accounts
from lakeproof.stack.stack import Stack


class RestoreGrant(Arguments):
    """`user`: the database account. `database`: oltp (in MariaDB) or shop (in PostgreSQL)."""

    user: str = "cdc"
    database: Literal["oltp", "shop"] = "oltp"


def typed(stack: Stack, arguments: RestoreGrant) -> str:
    """The statements."""
    if arguments.database == "shop":
        return "; ".join(postgres_account.grant_statements(arguments.user))
    return "; ".join(
        f"GRANT {privileges} ON {scope} TO '{arguments.user}'@'%'"
        for known in mysql_accounts.ACCOUNTS
        if known.user == arguments.user
        for privileges, scope in known.grants
    )


def run(stack: Stack, arguments: RestoreGrant) -> str:
    """Grant. MariaDB's connections still go by the old privileges, so they end."""
    if arguments.database == "shop":
        postgres_account.grant(stack, arguments.user)
        return f"account {arguments.user} of shop has all its privileges"
    account.grant(stack, arguments.user)
    ended = account.end_connections(stack, arguments.user)
    return f"account {arguments.user} has all its privileges; {ended} of its connections ended"


MITIGATION = Mitigation("restore_grant", "grant the capture's account what it needs", typed, run, RestoreGrant)
