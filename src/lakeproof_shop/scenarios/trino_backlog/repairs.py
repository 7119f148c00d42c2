"""Repairs of the scenario trino-backlog."""

from collections.abc import Iterable, Mapping

from lakeproof.errors import TerminalError
from lakeproof.lake.query.trino_queries import REASON, SECONDS, Query, busiest, kill, queries
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.named import Named, hold_to_found, named_one
from lakeproof.stack.engines.trino import NAME
from lakeproof.stack.stack import Stack


class KillQuery(Named, Mitigation):
    """Kill the queries of the one user who fills a group.

    `user`: whose queries; "": those of the user who alone fills a resource group, so that further ones wait.
    `only`: the one user whose queries may be killed (named.py).
    """

    user: str = ""

    def typed(self, stack: Stack) -> str:
        """One call for each query."""
        whose = self.user or self.only or "the user who alone fills a resource group"
        call = f"curl -X PUT -H 'X-Trino-User: admin' -d '{REASON}' {stack.url(NAME)}/v1/query/ID/killed"
        return f"{call} # for each ID of {whose}"

    def run(self, stack: Stack) -> str:
        """Kill the user's running and waiting queries; safe where there is none (left).

        Raises: CouldNotLook; TerminalError where queries wait and no single user fills a group, so that it is not
        known whose to kill, or where that is another user than the proposal named.
        """
        found = queries(stack, SECONDS)
        user = self.user or named_one(self, _whose(found))
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

    def hold(self, stack: Stack) -> Mapping[str, str]:
        """The user who alone fills a group now."""
        return {} if self.user else hold_to_found(self, lambda: _whose(queries(stack, SECONDS)))


def _whose(found: Iterable[Query]) -> list[str]:
    user = busiest(found)
    return [user] if user else []
