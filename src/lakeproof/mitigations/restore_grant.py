"""Give the capture's database account every privilege that it is meant to have."""

from lakeproof.arguments import Arguments
from lakeproof.lake.sources.source import OLTP, SourceName, find_source
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class RestoreGrant(Arguments):
    """`user`: the database account. `database`: oltp (in MariaDB) or shop (in PostgreSQL)."""

    user: str = "cdc"
    database: SourceName = OLTP.name


def typed(stack: Stack, arguments: RestoreGrant) -> str:
    """The statements."""
    return "; ".join(find_source(arguments.database).module.grant_statements(arguments.user))


def run(stack: Stack, arguments: RestoreGrant) -> str:
    """Grant. Connections that would still go by the old privileges end."""
    ended = find_source(arguments.database).module.grant(stack, arguments.user)
    return f"account {arguments.user} of {arguments.database} has all its privileges; {ended} connections ended"


MITIGATION = Mitigation("restore_grant", "grant the capture's account what it needs", typed, run, RestoreGrant)
