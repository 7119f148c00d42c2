"""What the publisher says of itself: publishing, held up by something that it needs, or kept off main by an audit;
and what the newest full audit of each database found.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

HEALTHY = "healthy"
NOTHING_FOUND = "none"
# The states that concern every database.
WHOLLY = ("starting", "stuck")


def publisher_status(stack: Stack, timeout: float, source: Source) -> Value:
    """The publisher's state for that database: starting, healthy, degraded (rounds fail), frozen (an audit failed) or
    stuck (a round hangs).
    """
    with _health(stack, timeout) as told:
        whole = str(told["status"])
        return whole if whole in WHOLLY else str(told.get("databases", {}).get(source.name, whole))


def audit_finding(stack: Stack, timeout: float, source: Source) -> Value:
    """What is wrong in what `main` shows of that database, by the newest full audit that could look.

    "none" where the audit found nothing there: a wrong hash of the past with whole ones after it is told by the alert
    LakeCommitFailing. A publisher that was started a moment ago has made no audit yet.
    """
    with _health(stack, timeout) as told:
        return str(told["broken"].get(source.name, NOTHING_FOUND))


@contextmanager
def _health(stack: Stack, timeout: float) -> Iterator[dict[str, Any]]:
    """The publisher's own word, also where it answers 503, by which it says that it is stuck. Raises: CouldNotLook,
    also where the block reads an answer of another shape.
    """
    url = f"{stack.url('publisher')}/health"
    try:
        yield get(url, timeout).json()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CouldNotLook("answered something that is no health", where=url) from error


def _status(source: Source) -> Probe:
    query, healthy = f"GET /health: .status, .databases.{source.name}", Condition(Operator.IS, HEALTHY)
    return of_source(
        source, "publisher-status", "publisher", query, publisher_status, "", healthy, always=True, steady=("frozen",)
    )


def _finding(source: Source) -> Probe:
    query, healthy = f"GET /health: .broken.{source.name}", Condition(Operator.IS, NOTHING_FOUND)
    return of_source(
        source, "audit-finding", "publisher", query, audit_finding, "", healthy, always=True, steady=True
    )


PROBES = tuple(make(source) for source in SOURCES for make in (_status, _finding))
