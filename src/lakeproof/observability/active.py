"""Which alerts Alertmanager knows now: what it forgot over a restart can never be reported as ended by it."""

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
    """`source` is the Alertmanager's own URL, as it stands in its webhooks; `since` when it started, by its clock.

    `fingerprints` names every alert that has not ended; `firing` those that nothing silences or inhibits, each with
    its start to the millisecond, which is all that this list of Alertmanager's tells of it.
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
