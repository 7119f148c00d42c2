"""Stops a source's connector while its capture does not run, and resumes later only what was stopped here."""

from lakeproof.lake.capture.commands import send
from lakeproof.lake.sources.source import Source
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack

STOPPED_BY_US = "connector stopped"
AT_REST = ("STOPPED", "PAUSED")


def stop(stack: Stack, source: Source, patience_seconds: float = 5.0) -> None:
    """Stop a connector that is there and neither stopped nor paused. Raises: TerminalError, DeadlineExpired."""
    path = f"/connectors/{source.connector}"
    status = send(stack, "GET", f"{path}/status", absent_is_fine=True, patience_seconds=patience_seconds)
    if status is not None and status["connector"]["state"] not in AT_REST:
        # Noted before the stop: resuming a running connector does no harm, one that stays stopped fills its slot.
        provisioned.remember(stack, source.exporter, STOPPED_BY_US, "yes")
        send(stack, "PUT", f"{path}/stop", absent_is_fine=True, patience_seconds=patience_seconds)


def resume(stack: Stack, source: Source) -> None:
    """Resume the connector where `stop` stopped it. Where somebody else did, it stays stopped. Raises: as `stop`."""
    if provisioned.is_made(stack, source.exporter, STOPPED_BY_US, "yes"):
        send(stack, "PUT", f"/connectors/{source.connector}/resume", absent_is_fine=True)
        provisioned.remember(stack, source.exporter, STOPPED_BY_US, "no")
