"""Register a connector again from its file: it goes on from the offsets that Connect keeps under its name."""

from lakeproof.arguments import OfConnector
from lakeproof.lake.capture.commands import await_running, send
from lakeproof.lake.capture.registration import register
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfConnector) -> str:
    """The two calls; the body of the first is the rendered file."""
    there = f"{stack.url('connect')}/connectors/{arguments.connector}"
    return f"curl -X PUT --json @{arguments.connector}.json {there}/config; curl -X PUT {there}/resume"


def run(stack: Stack, arguments: OfConnector) -> str:
    """Register, resume, and return once connector and task stay RUNNING."""
    register(stack, arguments.connector)
    # A connector that was paused before stays so through a new configuration.
    send(stack, "PUT", f"/connectors/{arguments.connector}/resume")
    return f"registered; {await_running(stack, arguments.connector, seconds=40)}"


MITIGATION = Mitigation("redeploy_connector", "register the connector from its file", typed, run, OfConnector)
