"""Kill the queries of one user of Trino, and of nobody else: of whoever alone fills a resource group."""

from lakeproof.arguments import Arguments
from lakeproof.errors import TerminalError
from lakeproof.lake.query.trino_queries import REASON, SECONDS, busiest, kill, queries
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.engines.trino import NAME
from lakeproof.stack.stack import Stack


class KillQuery(Arguments):
    """`user`: whose queries; "": of the user who alone fills a group, so that further ones wait."""

    user: str = ""


def typed(stack: Stack, arguments: KillQuery) -> str:
    """One call for each query."""
    whose = arguments.user or "the user who alone fills a resource group"
    call = f"curl -X PUT -H 'X-Trino-User: admin' -d '{REASON}' {stack.url(NAME)}/v1/query/ID/killed"
    return f"{call} # for each ID of {whose}"


def run(stack: Stack, arguments: KillQuery) -> str:
    """Kill those that run and those that wait; fine where there is none (left).

    Raises: CouldNotLook; TerminalError where queries wait, and for no single user's: whose to kill is not known.
    """
    found = queries(stack, SECONDS)
    user = arguments.user or busiest(found)
    if user is None:
        if waiting := sum(one.waits for one in found):
            raise TerminalError(
                f"{waiting} queries wait, and no user alone fills a resource group with queries",
                where=NAME,
                next_action="lakeproof scale trino 2; or name one: --arg user=NAME",
            )
        return "no query waits, so nobody's are killed"
    mine = [one for one in found if one.user == user and one.lives]
    kill(stack, mine)
    waited = sum(one.waits for one in mine)
    return f"killed {len(mine)} queries of {user}, {waited} of which waited"


MITIGATION = Mitigation("kill_query", "kill the queries of the one user who fills a group", typed, run, KillQuery)
