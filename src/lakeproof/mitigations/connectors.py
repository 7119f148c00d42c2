"""Repairs of a connector."""

from lakeproof.arguments import OfConnector
from lakeproof.lake.capture.commands import await_running, restart, send
from lakeproof.lake.capture.registration import register
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


class RedeployConnector(OfConnector, Mitigation):
    """Register the connector from its file."""

    def typed(self, stack: Stack) -> str:
        """The two calls; the body of the first is the rendered file."""
        there = f"{stack.url('connect')}/connectors/{self.connector}"
        return f"curl -X PUT --json @{self.connector}.json {there}/config; curl -X PUT {there}/resume"

    def run(self, stack: Stack) -> str:
        """Register, resume, and return once connector and task stay RUNNING."""
        register(stack, self.connector)
        # A connector that was paused before stays so through a new configuration.
        send(stack, "PUT", f"/connectors/{self.connector}/resume")
        return f"registered; {await_running(stack, self.connector, seconds=40)}"


class RestartConnector(Mitigation):
    """Restart what has failed of the connector.

    Restart what has failed in a connector, its task included. It does nothing for a task that calls itself RUNNING.

    By itself it is also a wrong fix: where the database rejects the connector's password (scenario
    connector-failure), the task fails again until the password is mended.

    `only_failed` off: restart everything of this connector, also what calls itself RUNNING and is stalled.
    """

    connector: str = "orders"
    only_failed: bool = True

    def typed(self, stack: Stack) -> str:
        """The runbook's call, with the flags that make it reach the task."""
        flags = f"includeTasks=true&onlyFailed={str(self.only_failed).lower()}"
        return f"curl -X POST '{stack.url('connect')}/connectors/{self.connector}/restart?{flags}'"

    def run(self, stack: Stack) -> str:
        """Restart and return once connector and task stay RUNNING."""
        restart(stack, self.connector, only_failed=self.only_failed)
        return await_running(stack, self.connector)
