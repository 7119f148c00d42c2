"""Give the capture's database account every privilege that it is meant to have."""

from lakeproof.lake.of_database import OfAccountOfDatabase
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfAccountOfDatabase) -> str:
    """The statements. Raises: InvalidInput for an account of which nothing is known."""
    return "; ".join(arguments.source.module.grant_statements(stack, arguments.user))


def run(stack: Stack, arguments: OfAccountOfDatabase) -> str:
    """Grant. Connections that still use the old privileges are ended. Raises: as `typed`; NotReady."""
    module = arguments.source.module
    ended = module.grant(stack, arguments.user)
    name = module.account_name(stack, arguments.user)
    return f"account {name} of {arguments.database} has all its privileges; {ended} connections ended"


MITIGATION = Mitigation("restore_grant", "grant the capture's account what it needs", typed, run, OfAccountOfDatabase)
