"""A wrong fix: stop the ticker that feeds the lag metric. No metric, no alert; and no rows either."""

from lakeproof.arguments import Arguments
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


class StopTicker(Arguments):
    """`component`: the component that writes the heartbeat and serves the lag metric."""

    component: str = "lag-exporter"


def typed(stack: Stack, arguments: StopTicker) -> str:
    """The fault that stops a component for good."""
    return f"lakeproof fault inject stopped_process --arg component={arguments.component}"


def run(stack: Stack, arguments: StopTicker) -> str:
    """Stop the ticker for good."""
    stopped = our_processes(stack, f"stop {arguments.component}").stop(arguments.component, watched=True)
    return f"{arguments.component} {'stopped' if stopped else 'did not run'}"


def undo(stack: Stack, arguments: StopTicker) -> None:
    """Start the ticker again."""
    SupervisorClient(stack).start(arguments.component)


WRONG_STEP = WrongStep(
    "stop_ticker", "stop the ticker behind the lag metric (mends nothing)", typed, run, StopTicker, undo
)
