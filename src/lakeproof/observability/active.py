"""Which alerts Alertmanager knows now. It can never report the end of an alert that it forgot over a restart."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import httpx

from lakeproof.errors import CouldNotLook
from lakeproof.stack import loopback
from lakeproof.stack.stack import Stack

TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True)
class ActiveAlerts:
    """The alerts that one Alertmanager knows.

    source: Alertmanager's own URL, as its webhooks give it.
    fingerprints: every alert that has not ended.
    since: when Alertmanager started, by its clock.
    firing: fingerprint → start, of the alerts that nothing silences or inhibits. Alertmanager's list tells a start to
    the millisecond only.
    """

    source: str
    fingerprints: frozenset[str]
    since: datetime
    firing: Mapping[str, datetime] = field(default_factory=dict)


def read_active(stack: Stack) -> ActiveAlerts:
    """Every alert that has not ended, silenced ones too. Raises: CouldNotLook."""
    url = stack.url("alertmanager")
    try:
        status = loopback.get(f"{url}/api/v2/status", timeout=TIMEOUT_SECONDS).raise_for_status()
        alerts = loopback.get(f"{url}/api/v2/alerts", timeout=TIMEOUT_SECONDS).raise_for_status()
        since = datetime.fromisoformat(status.json()["uptime"])
        known = alerts.json()
        firing = {
            alert["fingerprint"]: datetime.fromisoformat(alert["startsAt"])
            for alert in known
            if alert["status"]["state"] == "active"
        }
        return ActiveAlerts(url, frozenset(alert["fingerprint"] for alert in known), since, firing)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        raise CouldNotLook(f"no list of alerts ({type(error).__name__})", where=url) from error
