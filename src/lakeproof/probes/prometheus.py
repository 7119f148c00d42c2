"""Questions to Prometheus: what fires there (not what Alertmanager shows, which a silence can hide), and values."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from lakeproof.errors import CouldNotLook
from lakeproof.probes.http import get_json
from lakeproof.probes.reading import Reading
from lakeproof.stack.stack import Stack


def instant(stack: Stack, expression: str, timeout: float = 3.0) -> list[tuple[dict[str, str], float]]:
    """The vector (or scalar) of an expression now, as (labels, value). Raises: CouldNotLook."""
    url = f"{stack.url('prometheus')}/api/v1/query?{urlencode({'query': expression})}"
    data = get_json(url, timeout)
    if not isinstance(data, dict) or data.get("status") != "success":
        raise CouldNotLook("Prometheus gave no result", where=expression)
    result = data["data"]["result"]
    if data["data"]["resultType"] == "scalar":
        return [({}, float(result[1]))]
    return [(entry["metric"], float(entry["value"][1])) for entry in result]


def reading(stack: Stack, name: str, expression: str, unit: str = "", timeout: float = 3.0) -> Reading:
    """The largest value of an expression now as a Reading; None where it gives no series."""
    at = datetime.now(UTC)
    try:
        values = [value for _, value in instant(stack, expression, timeout)]
    except CouldNotLook as error:
        return Reading(name, None, unit, at, "prometheus", expression, error.message)
    return Reading(name, max(values) if values else None, unit, at, "prometheus", expression)


def firing(stack: Stack, alert: str, timeout: float = 3.0) -> bool:
    """True while a rule of that name fires.

    Read from the rules themselves, which also tells "does not fire" from "is not loaded" and "cannot be evaluated".
    Raises: CouldNotLook where Prometheus gives no answer, has no such rule, or could not evaluate it last.
    """
    data = get_json(f"{stack.url('prometheus')}/api/v1/rules?type=alert", timeout)
    if not isinstance(data, dict) or data.get("status") != "success":
        raise CouldNotLook("Prometheus gave no rules", where=alert)
    rules = [
        rule
        for group in data["data"]["groups"]
        for rule in group["rules"]
        if rule.get("type") == "alerting" and rule["name"] == alert
    ]
    if not rules:
        raise CouldNotLook("no rule of that name is loaded", where=alert, next_action="restart prometheus")
    if any(rule["state"] == "firing" for rule in rules):
        return True
    for rule in rules:
        if rule.get("health", "ok") != "ok":
            why = rule.get("lastError") or "it was not evaluated yet"
            raise CouldNotLook(f"the rule says nothing: {why}", where=alert, next_action="mend the rule's expression")
    return False
