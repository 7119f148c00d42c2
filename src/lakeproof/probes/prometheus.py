"""Questions to Prometheus: what fires there (not what Alertmanager shows, which a silence can hide), and values.

One probe for each service of the shop asks which share of its calls it refused in the last minute, and still refuses.
A service may refuse them all while its own health question goes well, for example where a column that it reads was
renamed.

One probe for each component asks how often its supervisor had to start it again lately. A question to the component
itself finds it up or down by chance.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from lakeproof.errors import CouldNotLook
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get_json
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Reading, Value
from lakeproof.probes.round import once
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

FIRING = "firing"
ASK_SECONDS = 3.0
SERVICE = "-service"  # what the names of the shop's services end with (stack/shop_service.py)
# Fewer refused calls than this in a minute say nothing, however few calls there were in all.
FEW_REFUSED = 3
REFUSED_PERCENT = 5
# As the rule ComponentRestarting counts (observability/rules/services.yml): RESTARTS within LONG, one of them within
# RECENT, of a component that has been watched for WATCHED_SECONDS.
RESTARTS, LONG, RECENT, WATCHED_SECONDS = 3, "10m", "5m", 300
RESTARTS_TOTAL, WATCHED_SINCE = "lakeproof_component_restarts_total", "lakeproof_component_watched_since_seconds"
# The last seconds (NOW) show whether a service still refuses calls. They hold four scrapes at the least.
MINUTE, NOW = "1m", "20s"


def instant(
    stack: Stack, expression: str, timeout: float = ASK_SECONDS, at: datetime | None = None
) -> list[tuple[dict[str, str], float]]:
    """The vector (or scalar) of an expression, now or at that moment, as (labels, value). Raises: CouldNotLook."""
    asked = {"query": expression} | ({"time": str(at.timestamp())} if at is not None else {})
    url = f"{stack.url('prometheus')}/api/v1/query?{urlencode(asked)}"
    data = get_json(url, timeout)
    if not isinstance(data, dict) or data.get("status") != "success":
        raise CouldNotLook("Prometheus gave no result", where=expression)
    result = data["data"]["result"]
    if data["data"]["resultType"] == "scalar":
        return [({}, float(result[1]))]
    return [(entry["metric"], float(entry["value"][1])) for entry in result]


def reading(stack: Stack, name: str, expression: str, unit: str = "") -> Reading:
    """The largest value of an expression now as a Reading; None where it gives no series."""
    at = datetime.now(UTC)
    try:
        values = [value for _, value in instant(stack, expression)]
    except CouldNotLook as error:
        return Reading(name, None, unit, at, "prometheus", expression, error.message)
    return Reading(name, max(values) if values else None, unit, at, "prometheus", expression)


def require_scraped(stack: Stack, timeout: float, job: str, window: str) -> None:
    """Raises: CouldNotLook where Prometheus did not scrape that job in that time: then a missing series says nothing.

    It was restarted a moment ago, or does not know the job. Where it did scrape the job, a series that begins with
    the first call is missing since nobody called. A failed scrape counts too: the component's own probes tell why.
    """
    expression = f"count by (job) (count_over_time(up[{window}]))"
    # One question for all jobs, whoever asks in the same look.
    known = once(("scraped", stack.url("prometheus"), window), lambda: instant(stack, expression, timeout))
    if not any(labels.get("job") == job for labels, _ in known):
        raise CouldNotLook(
            f"it did not scrape {job} in the last {window}",
            where="prometheus",
            next_action="look again in some seconds; if this stays, add the job to its scrape_configs",
        )


def _rules(stack: Stack) -> list[Any]:
    data = get_json(f"{stack.url('prometheus')}/api/v1/rules?type=alert", ASK_SECONDS)
    if not isinstance(data, dict) or data.get("status") != "success":
        raise CouldNotLook("Prometheus gave no rules", where="prometheus")
    return [rule for group in data["data"]["groups"] for rule in group["rules"] if rule.get("type") == "alerting"]


def alert_states(stack: Stack) -> dict[str, str]:
    """The alerts that fire now (FIRING) or are about to ("pending"), by name. Raises: CouldNotLook."""
    states: dict[str, str] = {}
    for rule in _rules(stack):
        if rule["state"] != "inactive" and states.get(rule["name"]) != FIRING:
            states[rule["name"]] = rule["state"]
    return states


def all_firing(stack: Stack) -> tuple[str, ...]:
    """The names of all alerts that fire now. Raises: CouldNotLook where Prometheus gives no answer."""
    return tuple(name for name, state in alert_states(stack).items() if state == FIRING)


def firing(stack: Stack, alert: str) -> bool:
    """True while a rule of that name fires.

    Read from the rules themselves, which also tells "does not fire" from "is not loaded" and "cannot be evaluated".
    Raises: CouldNotLook where Prometheus gives no answer, has no such rule, or could not evaluate it last.
    """
    rules = [rule for rule in _rules(stack) if rule["name"] == alert]
    if not rules:
        raise CouldNotLook("no rule of that name is loaded", where=alert, next_action="restart prometheus")
    if any(rule["state"] == FIRING for rule in rules):
        return True
    for rule in rules:
        if rule.get("health", "ok") != "ok":
            why = rule.get("lastError") or "it was not evaluated yet"
            raise CouldNotLook(f"the rule says nothing: {why}", where=alert, next_action="mend the rule's expression")
    return False


def answered_calls(service: str, window: str = MINUTE) -> str:
    """The expression for how many calls a service answered in that time, by status, without the health questions."""
    return (
        f'sum by (status) (increase(shop_http_requests_total{{job="{service}",route!~"/health|/metrics"}}[{window}]))'
    )


def refused_share(stack: Stack, timeout: float, service: str) -> Value:
    """Percent of the service's calls in the last minute that it answered with 5xx; 0 for fewer than FEW_REFUSED.

    Where it was called in the last seconds (NOW) and refused a smaller share of those calls, this gives that share: a
    service that recovered is well. A 4xx is the caller's own mistake. Without a series nobody has called the service.
    Raises: CouldNotLook, also where Prometheus did not scrape it.
    """
    refused, calls = _refused(stack, timeout, service, MINUTE)
    if not calls:
        require_scraped(stack, timeout, service, MINUTE)
    if round(refused) < FEW_REFUSED:
        return 0.0
    refused_now, calls_now = _refused(stack, timeout, service, NOW)
    share = refused / calls
    return round(100 * (min(share, refused_now / calls_now) if round(calls_now) else share), 1)


def _refused(stack: Stack, timeout: float, service: str, window: str) -> tuple[float, float]:
    """How many calls the service answered with 5xx in that time, and how many in all."""
    answered = instant(stack, answered_calls(service, window), timeout)
    refused = sum(calls for labels, calls in answered if labels["status"].startswith("5"))
    return refused, sum(calls for _, calls in answered)


def _refusals(service: str) -> Probe:
    return Probe(
        f"{service}-refusals",
        "prometheus",
        f"{answered_calls(service)}: share of 5xx",
        "%",
        partial(refused_share, service=service),
        Condition(Operator.BELOW, REFUSED_PERCENT),
        always=True,
        about=(service,),
        within=service,
    )


def restarting() -> str:
    """The expression for how often each component that ended by itself was started again, where that goes on."""
    within = {window: f"sum by (component) (increase({RESTARTS_TOTAL}[{window}]))" for window in (LONG, RECENT)}
    unwatched = f"last_over_time({WATCHED_SINCE}[{LONG}]) > time() - {WATCHED_SECONDS}"
    return f"({within[LONG]} and on (component) {within[RECENT]} > 0) unless on (component) {unwatched}"


def restarts(stack: Stack, timeout: float, component: str) -> Value:
    """How often the component was started again in the last LONG; 0 where that is over or no supervisor counts.

    Raises: CouldNotLook.
    """
    # One question for all components, whoever asks in the same look.
    told = once(("restarts", stack.url("prometheus")), lambda: instant(stack, restarting(), timeout))
    return next((round(count) for labels, count in told if labels["component"] == component), 0)


def _restarts(component: str) -> Probe:
    return Probe(
        f"{component}-restarts",
        "prometheus",
        restarting(),
        "restarts",
        partial(restarts, component=component),
        Condition(Operator.BELOW, RESTARTS),
        always=True,
        about=(component,),
        within=component,
    )


PROBES = (
    *(_refusals(name) for name in all_components() if name.endswith(SERVICE)),
    *(_restarts(name) for name, one in all_components().items() if not one.on_demand),
)
