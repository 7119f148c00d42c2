"""Questions about support's timelines: how long they take, which source is late, what comes of the cache."""

import math

import httpx

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.exporters import told
from lakeproof.probes.http import get
from lakeproof.probes.probe import Probe
from lakeproof.probes.prometheus import instant, require_scraped
from lakeproof.probes.reading import Value
from lakeproof.stack import loopback
from lakeproof.stack.stack import Stack

SERVICE = "support-service"
SOURCES = ("order-service", "payment-service", "fulfillment-service")
# How long support's own /health waits for each source (shop/support/sources.py).
HEALTH_SECONDS = 0.8
# A source that takes longer than this to answer us is slow itself, and not only on support's road to it.
AT_ONCE_SECONDS = HEALTH_SECONDS / 2
AT_ONCE_TRIES = 3
# Four scrapes and more; so short that a service that recovered is well within seconds.
NOW = "20s"
P95 = f"histogram_quantile(0.95, sum by (le) (rate(support_timeline_collect_seconds_bucket[{NOW}])))"
SOURCE_P95 = f"histogram_quantile(0.95, sum by (le, source) (rate(support_timeline_source_seconds_bucket[{NOW}])))"
# The alert's own limit, of all timelines. support gives a source up after 2.5 s (`support.source_seconds`).
SLOW_SECONDS = 2.0
CACHE = "sum by (event) (increase(support_timeline_cache_events_total[1m]))"
BACKLOG = "support_attachment_backlog_bytes"
# The alerts' own limits, in bytes and in bytes an hour. Growth is looked at over so long that some large uploads do
# not count. The alert looks over half an hour, in which a drill's uploads of three minutes would not count either.
HELD, HELD_MOST = f"sum({BACKLOG})", 15e9
GROWTH, GROWTH_MOST = f"3600 * sum(deriv({BACKLOG}[6m]))", 3e9
FINE = "fine"


def variable_of(source: str) -> str:
    """The variable that tells support where a source (order, payment, fulfillment) is."""
    return f"SERVICE_{source.upper()}_SERVICE_URL"


def late_sources(stack: Stack, timeout: float) -> Value:
    """The services that support waits for in vain although they answer us at once, joined by spaces, or "none".

    A source that is down or hangs is not among them: it answers nobody. Raises: CouldNotLook.
    """
    url = f"{stack.url(SERVICE)}/health"
    try:
        health = get(url, timeout).json()["dependencies"]
    except ValueError as error:
        raise CouldNotLook("answered something that is not JSON", where=url) from error
    deadline = Deadline(timeout)
    waited_for = [name for name in SOURCES if "Timeout" in (health.get(name, {}).get("problem") or "")]
    return " ".join(name for name in waited_for if _answers_at_once(stack, name, deadline)) or "none"


def _answers_at_once(stack: Stack, name: str, deadline: Deadline) -> bool:
    """True where one of a few tries succeeds: a busy machine is late once, a slow source each time."""
    for _ in range(AT_ONCE_TRIES):
        try:
            return loopback.get(f"{stack.url(name)}/health", timeout=AT_ONCE_SECONDS).status_code == 200
        except httpx.HTTPError:
            if deadline.left < AT_ONCE_SECONDS:
                break
    return False


def timeline_p95(stack: Stack, timeout: float) -> Value:
    """Seconds that 95 % of the timelines took at most; 0 where nobody read one. Raises: CouldNotLook."""
    found = instant(stack, P95, timeout)
    if not found:
        require_scraped(stack, timeout, SERVICE, NOW)
    return round(max((value for _, value in found if not math.isnan(value)), default=0.0), 3)


def source_p95(stack: Stack, timeout: float) -> Value:
    """The same time for each source, in words; None where none was asked. Raises: CouldNotLook."""
    found = {labels.get("source", "?"): value for labels, value in instant(stack, SOURCE_P95, timeout)}
    return ", ".join(f"{name} {found[name]:.2f} s" for name in sorted(found) if not math.isnan(found[name])) or None


def slow_sources(stack: Stack, timeout: float) -> Value:
    """The services of which a twentieth of support's calls took more than SLOW_SECONDS, joined by spaces, or "none".

    These are the calls that a timeline is made of: a source may be slow in them alone, or for everybody.
    Raises: CouldNotLook.
    """
    found = instant(stack, SOURCE_P95, timeout)
    if not found:
        require_scraped(stack, timeout, SERVICE, NOW)
    slow = {f"{labels.get('source')}-service" for labels, value in found if value > SLOW_SECONDS}
    return " ".join(name for name in SOURCES if name in slow) or "none"


def cache_events(stack: Stack, timeout: float) -> Value:
    """What came of the looks into the cache in the last minute, in words. Raises: CouldNotLook."""
    found = {labels.get("event", "?"): value for labels, value in instant(stack, CACHE, timeout)}
    return ", ".join(f"{name} {found[name]:.0f}" for name in sorted(found)) or None


def backlog(stack: Stack, timeout: float) -> Value:
    """Bytes in the attachments' folder, as the service tells. Raises: CouldNotLook."""
    return told(stack, timeout, SERVICE, BACKLOG)


def attachment_folder(stack: Stack, timeout: float) -> Value:
    """FINE, or how much the attachments' folder holds or grows beyond its limits. Raises: CouldNotLook."""
    found = [instant(stack, one, timeout) for one in (HELD, GROWTH)]
    if not found[0]:
        require_scraped(stack, timeout, SERVICE, NOW)
    held, growth = (max((value for _, value in values), default=0.0) for values in found)
    if growth > GROWTH_MOST:
        return f"grows by {growth / 1e9:.1f} GB an hour"
    return f"holds {held / 1e9:.1f} GB" if held > HELD_MOST else FINE


PROBES = (
    Probe(
        "support-late-sources",
        SERVICE,
        "dependencies of GET /health that time out, and GET /health of each of these",
        "",
        late_sources,
        Condition(Operator.IS, "none"),
        steady=True,
    ),
    Probe(
        "support-timeline-p95",
        "prometheus",
        P95,
        "s",
        timeline_p95,
        Condition(Operator.BELOW, 2),
        about=(SERVICE,),
        within=SERVICE,
    ),
    Probe("support-source-p95", "prometheus", SOURCE_P95, "s", source_p95, about=(SERVICE,), within=SERVICE),
    Probe(
        "support-slow-sources",
        "prometheus",
        f"{SOURCE_P95} > {SLOW_SECONDS:g}",
        "",
        slow_sources,
        Condition(Operator.IS, "none"),
        about=(SERVICE,),
        within=SERVICE,
    ),
    Probe("support-cache-events", "prometheus", CACHE, "events", cache_events, about=(SERVICE,), within=SERVICE),
    Probe("support-attachments", SERVICE, f"{BACKLOG} of GET /metrics", "bytes", backlog),
    Probe(
        "support-attachment-folder",
        "prometheus",
        f"{HELD}; {GROWTH}",
        "",
        attachment_folder,
        Condition(Operator.IS, FINE),
        about=(SERVICE,),
        within=SERVICE,
        steady=True,
    ),
)
