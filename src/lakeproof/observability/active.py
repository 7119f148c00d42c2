"""Which alerts Alertmanager knows now: what it forgot over a restart can never be reported as ended by it."""

from dataclasses import dataclass
from datetime import datetime

import httpx

from lakeproof.errors import CouldNotLook
from lakeproof.stack.stack import Stack

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class ActiveAlerts:
    """`source` is the Alertmanager's own URL, as it stands in its webhooks; `since` when it started, by its clock."""

    source: str
    fingerprints: frozenset[str]
    since: datetime


def read_active(stack: Stack) -> ActiveAlerts:
    """Every alert that has not ended, silenced ones too. Raises: CouldNotLook."""
    url = stack.url("alertmanager")
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            status = client.get(f"{url}/api/v2/status").raise_for_status()
            alerts = client.get(f"{url}/api/v2/alerts").raise_for_status()
        since = datetime.fromisoformat(status.json()["uptime"])
        return ActiveAlerts(url, frozenset(alert["fingerprint"] for alert in alerts.json()), since)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        raise CouldNotLook(f"no list of alerts ({type(error).__name__})", where=url) from error
