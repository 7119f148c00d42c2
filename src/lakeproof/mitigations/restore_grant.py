"""Give the capture's database account every privilege that it is meant to have."""

from lakeproof.lake.of_database import OfAccountOfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfAccountOfDatabase) -> str:
    """The statements."""
    return "; ".join(arguments.source.module.grant_statements(arguments.user))


def run(stack: Stack, arguments: OfAccountOfDatabase) -> str:
    """Grant. Connections that would still go by the old privileges end."""
    ended = arguments.source.module.grant(stack, arguments.user)
    return f"account {arguments.user} of {arguments.database} has all its privileges; {ended} connections ended"


MITIGATION = Mitigation("restore_grant", "grant the capture's account what it needs", typed, run, OfAccountOfDatabase)
