"""A connector's task that no worker of Kafka Connect runs, though Connect says that one does.

A worker freezes, another worker takes its task over and is killed, and the first one goes on. The first worker still
holds the task for its own, which failed there when the other one shut it out, so nobody starts the task. Connect's
word stays that of the killed worker. Seen with Kafka Connect 4.3.1 (docs/decisions/0052-a-task-that-nobody-runs.md).
"""

from pathlib import Path

import httpx

from lakeproof.arguments import OfConnector
from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.faults.fault import Fault, Sign
from lakeproof.lake.sources.source import find_source
from lakeproof.probes.connect import task_state
from lakeproof.probes.kafka import topic_silence
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.ours import our_processes
from lakeproof.stack import loopback
from lakeproof.stack.engines.connect import NAME, WORKERS
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

SECOND = WORKERS[1]
ASK_SECONDS = 3.0
TAKEN_OVER_SECONDS, STRANDED_SECONDS, SILENT_SECONDS = 60.0, 45.0, 15.0


def inject(stack: Stack, arguments: OfConnector) -> None:
    """Have a second worker take the task over from the first, and be gone when the first one comes back.

    Raises: InvalidInput in mode "external", and where there are further workers, which would be ended;
    DeadlineExpired where the task is not the first worker's, where the second one does not take it over, or where it
    did not strand.
    """
    client = our_processes(stack, f"freeze and kill workers of {NAME}")
    if further := [row.name for row in client.ps() if row.name in WORKERS[1:]]:
        raise InvalidInput(
            f"{', '.join(further)} would be ended", where=NAME, next_action=f"lakeproof scale {NAME} 1"
        )
    write_file(_mark(stack), "")
    client.scale(NAME, 2)
    try:
        _await_task(stack, arguments, NAME, NAME)
        client.kill(NAME, "STOP")
        try:
            _await_task(stack, arguments, SECOND, SECOND)
        finally:
            client.let_go_on(NAME)
        # At once, before the first worker has joined the others again.
        client.kill(SECOND)
    finally:
        client.scale(NAME, 1)
    Deadline(STRANDED_SECONDS).wait_for(
        "the task to be nobody's",
        lambda: True if sign(stack, arguments).holds else None,
        every=0.5,
        seen=lambda: sign(stack, arguments).seen,
        unseen_is_not_yet=True,
    )


def _await_task(stack: Stack, arguments: OfConnector, by: str, wanted: str) -> None:
    """Wait until the worker `wanted` runs the task, as the worker `by` says."""
    host = f"{stack.settings.host}:{stack.port(wanted)}"

    def look() -> bool | None:
        try:
            url = f"{stack.url(by)}/connectors/{arguments.connector}/status"
            task = loopback.get(url, timeout=ASK_SECONDS).json()["tasks"][0]
        except (httpx.HTTPError, LookupError, ValueError):
            return None
        return True if (task["state"], task["worker_id"]) == ("RUNNING", host) else None

    Deadline(TAKEN_OVER_SECONDS).wait_for(f"the task of {arguments.connector} to run on {wanted}", look, every=0.3)


def remove(stack: Stack, arguments: OfConnector) -> None:
    """End the second worker, and restart the first one, where this fault began. Safe where nothing runs.

    Raises: as SupervisorClient.scale and restart.
    """
    client = SupervisorClient(stack)
    if _mark(stack).exists() and client.running():
        client.let_go_on(NAME)
        client.scale(NAME, 1)
        client.restart(NAME)
    _mark(stack).unlink(missing_ok=True)


def _mark(stack: Stack) -> Path:
    """Exists from before the second worker starts until the fault is out: any other second worker is a person's."""
    return stack.data_dir(NAME) / "stranded-task"


def sign(stack: Stack, arguments: OfConnector) -> Sign:
    """The task is said to run, and nothing has come for longer than another worker takes to take it over.

    Raises: CouldNotLook.
    """
    source = find_source(arguments.connector, by="connector")
    state = task_state(stack, ASK_SECONDS, source)
    silence = topic_silence(stack, ASK_SECONDS, source)
    holds = state == "RUNNING" and isinstance(silence, float) and silence > SILENT_SECONDS
    return Sign(holds, f"the task of {arguments.connector} is {state}, and {source.topic} silent for {silence} s")


FAULT = Fault(
    "stranded_task",
    "leave a connector's task to no worker of Kafka Connect, which calls it RUNNING",
    inject,
    remove,
    sign,
    OfConnector,
)
