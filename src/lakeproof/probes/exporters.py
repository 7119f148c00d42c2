"""Questions to our exporters' own /metrics and /health: they need no Prometheus."""

import re

from lakeproof.errors import CouldNotLook
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

LAG_METRIC = "kafka_connect_source_task_lag_millis"
LATE_MILLIS = 10_000


def sample(text: str, metric: str) -> float | None:
    """The first sample of a metric in Prometheus' text format; None where there is none."""
    found = re.search(rf"^{re.escape(metric)}(?:\{{[^}}]*\}})? +(\S+)", text, re.MULTILINE)
    return float(found.group(1)) if found else None


def told(stack: Stack, timeout: float, component: str, metric: str) -> float | None:
    """A metric that a component gives at its /metrics; None where it does not tell it. Raises: CouldNotLook."""
    url = f"{stack.url(component)}/metrics"
    response = get(url, timeout)
    if response.status_code != 200:
        raise CouldNotLook(f"answered {response.status_code}", where=url)
    return sample(response.text, metric)


def source_lag(stack: Stack, timeout: float, source: Source) -> Value:
    """Milliseconds between now and the newest heartbeat that came through the capture; None where it is not told."""
    value = told(stack, timeout, source.exporter, f'{LAG_METRIC}{{connector="{source.connector}"}}')
    return None if value is None else round(value)


def _lag(source: Source) -> Probe:
    query, recent = f"{LAG_METRIC} of GET /metrics", Condition(Operator.BELOW, LATE_MILLIS)
    return of_source(source, "source-lag", source.exporter, query, source_lag, "ms", recent, about=("connect",))


def ticker(stack: Stack, timeout: float, source: Source) -> Value:
    """What the exporter says of the database that it writes heartbeats into: "ok", or why a heartbeat failed."""
    url = f"{stack.url(source.exporter)}/health"
    return str(get(url, timeout).json()["dependencies"][source.engine])


def _ticker(source: Source) -> Probe:
    query = f"dependency {source.engine} of GET /health"
    return of_source(source, "ticker", source.exporter, query, ticker, about=(source.engine,))


PROBES = (*(_lag(source) for source in SOURCES), *(_ticker(source) for source in SOURCES))
