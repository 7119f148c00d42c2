"""Restart what has failed in a connector, its task included. It does nothing for a task that calls itself RUNNING.

By itself it is also a wrong fix: where the database rejects the connector's password (scenario connector-failure),
the task fails again until the password is mended.
"""

from lakeproof.arguments import Arguments
from lakeproof.lake.capture.commands import await_running, restart
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class RestartConnector(Arguments):
    """`only_failed` off: restart everything of this connector, also what calls itself RUNNING and is stalled."""

    connector: str = "orders"
    only_failed: bool = True


def typed(stack: Stack, arguments: RestartConnector) -> str:
    """The runbook's call, with the flags that make it reach the task."""
    flags = f"includeTasks=true&onlyFailed={str(arguments.only_failed).lower()}"
    return f"curl -X POST '{stack.url('connect')}/connectors/{arguments.connector}/restart?{flags}'"


def run(stack: Stack, arguments: RestartConnector) -> str:
    """Restart and return once connector and task stay RUNNING."""
    restart(stack, arguments.connector, only_failed=arguments.only_failed)
    return await_running(stack, arguments.connector)


MITIGATION = Mitigation("restart_connector", "restart what has failed of the connector", typed, run, RestartConnector)
