"""A connector's task that no worker of Kafka Connect runs, though Connect says that one does.

A worker freezes, another one takes its task over and is killed, and the first goes on. It still holds the task for
its own, which failed there when the other one shut it out, and so nobody starts it; Connect's word stays that of the
worker that was killed. Seen with Kafka Connect 4.3.1 (docs/decisions/0052-a-task-that-nobody-runs.md).
"""

import httpx

from lakeproof.arguments import OfConnector
from lakeproof.deadline import Deadline
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.sources.source import find_source
from lakeproof.probes.connect import GONE, task_worker
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack.addresses import replica_name
from lakeproof.stack.stack import Stack

FIRST, SECOND = "connect", replica_name("connect", 2)
ASK_SECONDS = 3.0
TAKEN_OVER_SECONDS, STRANDED_SECONDS = 60.0, 30.0


def inject(stack: Stack, arguments: OfConnector) -> None:
    """Have a second worker take the task over from the first, and be gone when that one comes back.

    Raises: InvalidInput in mode "external"; NotReady where the task is not the first worker's, or did not strand;
    DeadlineExpired where the second worker does not take it over.
    """
    client = our_processes(stack, f"freeze and kill workers of {FIRST}")
    client.scale(FIRST, 2)
    try:
        _await_task(stack, arguments, FIRST, FIRST)
        client.kill(FIRST, "STOP")
        try:
            _await_task(stack, arguments, SECOND, SECOND)
        finally:
            client.let_go_on(FIRST)
        # At once: before the first worker has joined the others again.
        client.kill(SECOND)
    finally:
        client.scale(FIRST, 1)
    Deadline(STRANDED_SECONDS).wait_for(
        "the task to be nobody's",
        lambda: True if sign(stack, arguments).holds else None,
        every=0.5,
        seen=lambda: sign(stack, arguments).seen,
    )


def _await_task(stack: Stack, arguments: OfConnector, by: str, wanted: str) -> None:
    """Until that worker runs it, as the worker `by` says."""
    host = f"{stack.settings.host}:{stack.port(wanted)}"

    def look() -> bool | None:
        try:
            url = f"{stack.url(by)}/connectors/{arguments.connector}/status"
            task = httpx.get(url, timeout=ASK_SECONDS, trust_env=False).json()["tasks"][0]
        except (httpx.HTTPError, LookupError, ValueError):
            return None
        return True if (task["state"], task["worker_id"]) == ("RUNNING", host) else None

    Deadline(TAKEN_OVER_SECONDS).wait_for(f"the task of {arguments.connector} to run on {wanted}", look, every=0.3)


def remove(stack: Stack, arguments: OfConnector) -> None:
    """Have one worker, which starts anew where the task is nobody's. Fine where nothing runs. Raises: NotReady."""
    client = SupervisorClient(stack)
    if not client.running():
        return
    client.let_go_on(FIRST)
    client.scale(FIRST, 1)
    if sign(stack, arguments).holds:
        client.restart(FIRST)


def sign(stack: Stack, arguments: OfConnector) -> Sign:
    """Whether the worker answers on which Connect says that the task runs. Raises: CouldNotLook."""
    worker = task_worker(stack, ASK_SECONDS, find_source(arguments.connector, by="connector"))
    return Sign(
        worker == GONE, f"the worker on which the task of {arguments.connector} is said to run: {worker or 'none'}"
    )


FAULT = Fault(
    "stranded_task",
    "leave a connector's task to a worker of Kafka Connect that is gone",
    inject,
    remove,
    sign,
    OfConnector,
)
