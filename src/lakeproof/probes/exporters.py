"""Questions to our exporters' own /metrics: they need no Prometheus."""

import re
from functools import partial

from lakeproof.errors import CouldNotLook
from lakeproof.probes.captures import CAPTURES, ORDERS, Capture
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.stack.stack import Stack

LAG_METRIC = "kafka_connect_source_task_lag_millis"


def sample(text: str, metric: str) -> float | None:
    """The first sample of a metric in Prometheus' text format; None where there is none."""
    found = re.search(rf"^{re.escape(metric)}(?:\{{[^}}]*\}})? +(\S+)", text, re.MULTILINE)
    return float(found.group(1)) if found else None


def source_lag(stack: Stack, timeout: float, exporter: str = ORDERS.exporter) -> Value:
    """Milliseconds between now and the newest heartbeat that came through the capture; None where it says nothing."""
    url = f"{stack.url(exporter)}/metrics"
    response = get(url, timeout)
    if response.status_code != 200:
        raise CouldNotLook(f"answered {response.status_code}", where=url)
    value = sample(response.text, LAG_METRIC)
    return None if value is None else round(value)


def _lag(of: Capture) -> Probe:
    return Probe(
        of.named("source-lag"),
        of.exporter,
        f"{LAG_METRIC} of GET /metrics",
        "ms",
        partial(source_lag, exporter=of.exporter),
        Condition(Operator.BELOW, 10_000),
        about=("connect",),
    )


PROBES = tuple(_lag(capture) for capture in CAPTURES)
