"""Steps that look like a repair of replication-lag, and are none."""

from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


class StopTicker(WrongStep):
    """Stop the ticker behind the lag metric (mends nothing).

    `component`: the component that writes the heartbeat and serves the lag metric.
    """

    component: str = "lag-exporter"

    def typed(self, stack: Stack) -> str:
        """The fault that stops a component for good."""
        return f"lakeproof fault inject stopped_process --arg component={self.component}"

    def run(self, stack: Stack) -> str:
        """Stop the ticker for good."""
        stopped = our_processes(stack, f"stop {self.component}").stop(self.component, watched=True)
        return f"{self.component} {'stopped' if stopped else 'did not run'}"

    def undo(self, stack: Stack) -> None:
        """Start the ticker again."""
        SupervisorClient(stack).start(self.component)
