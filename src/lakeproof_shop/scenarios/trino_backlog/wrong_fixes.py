"""Steps that look like a repair of trino-backlog, and are none."""

from lakeproof.lake.query.trino_queries import SECONDS, kill, queries
from lakeproof.stack.engines.trino import NAME
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


class KillEveryQuery(WrongStep):
    """Kill every query, of every user (others lose theirs)."""

    def typed(self, stack: Stack) -> str:
        """The call that ends one query."""
        return f"curl -X PUT -H 'X-Trino-User: admin' {stack.url(NAME)}/v1/query/ID/killed # for each ID"

    def run(self, stack: Stack) -> str:
        """Kill all running and waiting queries; fine where there is none. Raises: CouldNotLook, TerminalError."""
        found = [one for one in queries(stack, SECONDS) if one.lives]
        kill(stack, found)
        return f"killed {len(found)} queries of {', '.join(sorted({one.user for one in found})) or 'nobody'}"
