"""A source's connector at rest while its capture does not run: stopped by us, so that we let it go on later."""

from lakeproof.lake.capture.commands import send
from lakeproof.lake.sources.source import Source
from lakeproof.stack import provisioned
from lakeproof.stack.stack import Stack

STOPPED_BY_US = "connector stopped"
AT_REST = ("STOPPED", "PAUSED")


def stop(stack: Stack, source: Source, patience_seconds: float = 5.0) -> None:
    """Stop it where it is there and somebody else has not done so. Raises: TerminalError, DeadlineExpired."""
    path = f"/connectors/{source.connector}"
    status = send(stack, "GET", f"{path}/status", absent_is_fine=True, patience_seconds=patience_seconds)
    if status is not None and status["connector"]["state"] not in AT_REST:
        # Noted before: to resume one that runs does no harm, one that stays stopped would fill its slot.
        provisioned.remember(stack, source.exporter, STOPPED_BY_US, "yes")
        send(stack, "PUT", f"{path}/stop", absent_is_fine=True, patience_seconds=patience_seconds)


def resume(stack: Stack, source: Source) -> None:
    """Let it go on where we stopped it; one that somebody else stopped stays so. Raises: as `stop`."""
    if provisioned.is_made(stack, source.exporter, STOPPED_BY_US, "yes"):
        send(stack, "PUT", f"/connectors/{source.connector}/resume", absent_is_fine=True)
        provisioned.remember(stack, source.exporter, STOPPED_BY_US, "no")
