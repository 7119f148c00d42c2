"""What the publisher says of itself: publishing, held up by something that it needs, or kept off main by an audit."""

from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

HEALTHY = "healthy"


def publisher_status(stack: Stack, timeout: float) -> Value:
    """starting, healthy, degraded (its rounds fail), frozen (an audit failed) or stuck (a round does not end)."""
    url = f"{stack.url('publisher')}/health"
    try:
        # Also where it answers 503, its way to say that it is stuck.
        return str(get(url, timeout).json()["status"])
    except (ValueError, KeyError, TypeError) as error:
        raise CouldNotLook("answered something that is no health", where=url) from error


PROBES = (
    Probe(
        "publisher-status",
        "publisher",
        "GET /health: .status",
        "",
        publisher_status,
        Condition(Operator.IS, HEALTHY),
        always=True,
    ),
)
