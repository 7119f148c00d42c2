"""Which job a series comes from, and how often that job is scraped."""

from functools import cache
from importlib.resources import files

import yaml

from lakeproof.observability.promql import Selector, find_selectors
from lakeproof.stack.components import all_components

# Jobs that are not components: their pause is set here, and used by scrape.py.
PROBE_JOB = "health"
SUPERVISOR_JOB = "supervisor"
LIGHT_SECONDS = 1.0


@cache
def job_seconds() -> dict[str, float]:
    """Job → pause between two scrapes, in seconds (the longest, where a component has several endpoints)."""
    found = {PROBE_JOB: LIGHT_SECONDS, SUPERVISOR_JOB: LIGHT_SECONDS}
    for name, component in all_components().items():
        if component.scrapes:
            found[name] = max(scrape.seconds for scrape in component.scrapes)
    return found


@cache
def _jobs_of_metrics() -> dict[str, str]:
    text = (files("lakeproof.observability") / "metrics.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def _selector_seconds(selector: Selector) -> float:
    known = job_seconds()
    if selector.metric == "ALERTS":
        return LIGHT_SECONDS
    job = _jobs_of_metrics().get(selector.metric)
    if job is not None:
        return known.get(job, LIGHT_SECONDS)
    # Every component's own `up`, or a metric that nobody declared: all the jobs that the selector lets through.
    taken = [seconds for name, seconds in known.items() if selector.takes(name)]
    return max(taken, default=LIGHT_SECONDS)


def scrape_seconds(expression: str) -> float:
    """The slowest scrape among the series that an expression reads."""
    return max((_selector_seconds(selector) for selector in find_selectors(expression)), default=LIGHT_SECONDS)
