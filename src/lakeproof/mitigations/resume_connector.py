"""Resume a paused or stopped connector: it goes on where it stood."""

from lakeproof.arguments import OfConnector
from lakeproof.lake.capture.commands import await_running, send
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.stack.stack import Stack


def typed(stack: Stack, arguments: OfConnector) -> str:
    """PUT, since Connect 4 has no POST for it."""
    return f"curl -X PUT {stack.url('connect')}/connectors/{arguments.connector}/resume"


def run(stack: Stack, arguments: OfConnector) -> str:
    """Resume and return once connector and task stay RUNNING."""
    send(stack, "PUT", f"/connectors/{arguments.connector}/resume")
    return await_running(stack, arguments.connector)


MITIGATION = Mitigation("resume_connector", "resume the connector", typed, run, OfConnector)
