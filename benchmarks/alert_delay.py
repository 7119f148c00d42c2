"""alert-delay: how long after the end of its window an alert reached the desk, of its newest thousand incidents.

The benchmark makes no alerts of its own: drills do. A window ends `for` after the moment at which Prometheus first
saw that the alert's expression is true. Prometheus keeps that moment as the value of ALERTS_FOR_STATE.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import yaml

from benchmarks.benchmark import Benchmark, Options, Progress, Ratio, Result
from lakeproof.observability.durations import parse_duration
from lakeproof.observability.prometheus import rules_in
from lakeproof.observability.timing import Timing
from lakeproof.probes.http import get_json
from lakeproof.probes.prometheus import instant
from lakeproof.stack.stack import Stack

AIM_SECONDS = 2.0
MOST_INCIDENTS, ASK_SECONDS = 1000, 10.0
TIMINGS: tuple[Timing, ...] = ("drill", "production")
# How much earlier than its window an alert may seem to fire: Prometheus rounds its clock and the stored moment.
ROUNDED_SECONDS = 0.5
# ALERTS_FOR_STATE is read this long after the alert fired, to allow for rounding. Prometheus stores the moment anew
# with each evaluation, so it is there when the alert fires.
STORED_SECONDS = 0.1


def run(stack: Stack, options: Options, progress: Progress) -> Result:
    """Raises: CouldNotLook, InvalidInput for a rule that cannot be read."""
    windows = _windows(stack)
    url = f"{stack.url('desk')}/api/incidents"
    rows: list[dict[str, Any]] = []
    untold = 0
    for number, incident in enumerate(get_json(f"{url}?most={MOST_INCIDENTS}", ASK_SECONDS), 1):
        progress(f"{number} incidents read, {len(rows)} alerts")
        for alert in get_json(f"{url}/{incident['id']}", ASK_SECONDS)["alerts"]:
            fired, received = (datetime.fromisoformat(alert[name]) for name in ("starts_at", "received_at"))
            began = _true_since(stack, alert["labels"], fired)
            window = windows[alert["name"], alert["labels"].get("severity", "")]
            beyond = None if began is None else beyond_window(began, fired, received, window)
            if beyond is None:
                untold += 1
                continue
            rows.append({"alert": alert["name"], "fired_at": alert["starts_at"], "beyond_its_window_s": beyond})
    found = sorted(row["beyond_its_window_s"] for row in rows)
    notes = []
    if untold:
        notes.append(f"{untold} alerts left out: Prometheus no longer tells when they began, or no rule has them")
    if not found:
        return Result("alert-delay", options, {}, [], [*notes, "no alert to judge: run a drill first"], unknown=True)
    p95 = found[math.ceil(0.95 * len(found)) - 1]
    told = f"{len(found)} alerts; median {statistics.median(found):.2f} s, p95 {p95:.2f} s, longest {found[-1]:.2f} s"
    ratios = [Ratio.at_most(f"p95 to {AIM_SECONDS:g} s", p95, AIM_SECONDS)]
    return Result("alert-delay", options, {"by alert": rows}, ratios, [told, *notes])


def beyond_window(began: float, fired: datetime, received: datetime, windows: Iterable[float]) -> float | None:
    """Seconds from the end of the alert's window until the desk had the alert; None where no window fits.

    began: UNIX time at which its expression became true. windows: of its rule in each timing, in seconds. The alert's
    timing is guessed: it is the longest window that fits into the time for which the alert was pending. So a drill's
    alert that is late by the difference between the two windows would pass for one with production timing.
    """
    pending = fired.timestamp() - began
    fitting = [window for window in windows if window <= pending + ROUNDED_SECONDS]
    return round(received.timestamp() - began - max(fitting), 3) if fitting else None


def _windows(stack: Stack) -> Mapping[tuple[str, str], set[float]]:
    """The `for` of each alert in seconds, one for each timing, by the alert's name and severity."""
    found: dict[tuple[str, str], set[float]] = defaultdict(set)
    for text in (text for timing in TIMINGS for text in rules_in(stack, timing).values()):
        for rule in (rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"] if "alert" in rule):
            found[rule["alert"], rule["labels"]["severity"]].add(parse_duration(str(rule.get("for", "0"))) / 1000)
    return found


def _true_since(stack: Stack, labels: Mapping[str, str], fired: datetime) -> float | None:
    """UNIX time since which the expression of the alert that fired at `fired` was true; None where nothing tells."""
    at = fired + timedelta(seconds=STORED_SECONDS)
    told = instant(stack, f'ALERTS_FOR_STATE{{alertname="{labels["alertname"]}"}}', at=at)
    own = [
        since for series, since in told if all(labels.get(name) == series[name] for name in series if name[0] != "_")
    ]
    return own[0] if own else None


BENCHMARK = Benchmark(
    "alert-delay", "seconds from the end of an alert's window until the desk had it, of its newest incidents", (), run
)
