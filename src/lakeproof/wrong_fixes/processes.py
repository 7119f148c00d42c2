"""Steps on processes that only look like a repair."""

from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import State
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


class RestartEverything(WrongStep):
    """Restart every component (mends nothing)."""

    def typed(self, stack: Stack) -> str:
        """The same by hand."""
        return "lakeproof down; lakeproof up"

    def stops(self, stack: Stack) -> list[str]:
        """Every component that runs. The supervisor's daemon is not a component."""
        client = our_processes(stack, "restart every component")
        return [row.name for row in client.ps() if row.state in (State.RUNNING, State.PAUSED)]

    def run(self, stack: Stack) -> str:
        """Stop every component that runs, then start all of these again."""
        client, names = our_processes(stack, "restart every component"), self.stops(stack)
        for name in names:
            client.stop(name)
        client.up(names)
        return f"restarted {len(names)} components"
