"""Restart every worker of Kafka Connect that runs, one after the other, for a task that is nobody's.

A worker that holds a task for its own and does not run it lets go of the task only when it ends. Connect does not
tell which worker that is, and no restart of the task over REST reaches it.
"""

from lakeproof.arguments import OfConnector
from lakeproof.lake.capture.commands import await_running
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.processes.ours import our_processes
from lakeproof.processes.states import State
from lakeproof.stack.engines.connect import NAME, WORKERS
from lakeproof.stack.stack import Stack

RUN_SECONDS = 60.0


def typed(stack: Stack, arguments: OfConnector) -> str:
    """The same by hand."""
    return f"lakeproof restart {NAME}, and so each of {', '.join(WORKERS[1:])} that `lakeproof ps` shows"


def run(stack: Stack, arguments: OfConnector) -> str:
    """Restart the workers, and return once connector and task stay RUNNING.

    Raises: InvalidInput in mode "external"; as SupervisorClient.restart and await_running.
    """
    client = our_processes(stack, "restart the workers of Kafka Connect")
    running = [row.name for row in client.ps() if row.name in WORKERS and row.state is not State.STOPPED]
    for name in running:
        client.restart(name)
    runs = await_running(stack, arguments.connector, seconds=RUN_SECONDS)
    return f"restarted: {', '.join(running) or 'none, for none ran'}; {runs}"


MITIGATION = Mitigation("restart_workers", "restart every worker of Kafka Connect", typed, run, OfConnector)
