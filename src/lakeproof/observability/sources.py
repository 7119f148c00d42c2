"""Which job a series comes from, and how often that job is scraped.

While a drill's windows are on, a job is scraped as often as its component says, most of them each second. In
production windows, the shortest of which is a minute, each job is scraped every five seconds: scraping and evaluating
each second was the larger part of what watching cost at rest.
"""

from functools import cache
from importlib.resources import files

from lakeproof.observability.promql import Selector, find_selectors
from lakeproof.stack.components import all_components
from lakeproof.yaml_file import load_yaml

# Jobs that are not components: their pause is set here, and used by scrape.py.
PROBE_JOB = "health"
SUPERVISOR_JOB = "supervisor"
LIGHT_SECONDS = 1.0
# Between two scrapes of any job, and between two evaluations of all rules, in production windows.
PRODUCTION_SECONDS = 5.0
# The supervisor looks at its processes this often. `up` ends when Prometheus has read what was started from it, so
# this job is scraped more often than the others in production windows.
SUPERVISOR_SECONDS = 2.0


@cache
def job_seconds() -> dict[str, float]:
    """Job → pause between two scrapes in a drill, in seconds; of several endpoints' pauses the longest."""
    found = {PROBE_JOB: LIGHT_SECONDS, SUPERVISOR_JOB: LIGHT_SECONDS}
    for name, component in all_components().items():
        if component.scrapes:
            found[name] = max(scrape.seconds for scrape in component.scrapes)
    return found


@cache
def _jobs_of_metrics() -> dict[str, str]:
    text = (files("lakeproof.observability") / "metrics.yml").read_text(encoding="utf-8")
    return dict(load_yaml(text))


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
    """The slowest scrape, in a drill, among the series that an expression reads."""
    return max((_selector_seconds(selector) for selector in find_selectors(expression)), default=LIGHT_SECONDS)
