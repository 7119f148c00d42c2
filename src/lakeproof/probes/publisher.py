"""What the publisher says of itself: publishing, held up by something that it needs, or kept off main by an audit."""

from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

HEALTHY = "healthy"
# What concerns every database.
WHOLLY = ("starting", "stuck")


def publisher_status(stack: Stack, timeout: float, source: Source) -> Value:
    """Of that database: starting, healthy, degraded (rounds fail), frozen (an audit failed), stuck (one hangs)."""
    url = f"{stack.url('publisher')}/health"
    try:
        # Also where it answers 503, its way to say that it is stuck.
        told = get(url, timeout).json()
        whole = str(told["status"])
        return whole if whole in WHOLLY else str(told.get("databases", {}).get(source.name, whole))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CouldNotLook("answered something that is no health", where=url) from error


def _status(source: Source) -> Probe:
    query, healthy = f"GET /health: .status, .databases.{source.name}", Condition(Operator.IS, HEALTHY)
    return of_source(
        source, "publisher-status", "publisher", query, publisher_status, "", healthy, always=True, steady=("frozen",)
    )


PROBES = tuple(_status(source) for source in SOURCES)
