"""Who Alertmanager tells beside the desk: Slack, PagerDuty, e-mail. Set by environment, as on-call teams know it.

A receiver that is not configured is left out, so that an alert never waits for a dead address; `unset` says which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lakeproof.errors import InvalidInput
from lakeproof.install.doctor import Finding, State

SLACK_URL = "ALERTMANAGER_SLACK_WEBHOOK_URL"
PAGERDUTY_KEY = "ALERTMANAGER_PAGERDUTY_ROUTING_KEY"
EMAIL_TO = "ALERTMANAGER_EMAIL_TO"
EMAIL_FROM = "ALERTMANAGER_EMAIL_FROM"
EMAIL_SMARTHOST = "ALERTMANAGER_EMAIL_SMARTHOST"


@dataclass(frozen=True)
class Receivers:
    """What is configured; "" means: not there."""

    slack_url: str = ""
    pagerduty_key: str = ""
    email_to: str = ""
    email_from: str = ""
    email_smarthost: str = ""

    @property
    def unset(self) -> tuple[str, ...]:
        """What nobody hears of, in words, most important first."""
        found = []
        if not self.slack_url:
            found.append(f"{SLACK_URL} is not set: high and critical alerts do NOT reach Slack #data-ops")
        if not self.pagerduty_key:
            found.append(f"{PAGERDUTY_KEY} is not set: Cassandra's alerts do not page anybody")
        if not self.email_to:
            found.append(f"{EMAIL_TO} is not set: infrastructure's alerts are not mailed")
        return tuple(found)


def read_receivers(environment: Mapping[str, str]) -> Receivers:
    """Read them from the environment.

    Raises: InvalidInput for a Slack URL that is none, or e-mail without its server.
    """
    found = Receivers(
        slack_url=environment.get(SLACK_URL, ""),
        pagerduty_key=environment.get(PAGERDUTY_KEY, ""),
        email_to=environment.get(EMAIL_TO, ""),
        email_from=environment.get(EMAIL_FROM, "lakeproof@localhost"),
        email_smarthost=environment.get(EMAIL_SMARTHOST, ""),
    )
    if found.slack_url and (urlsplit(found.slack_url).scheme not in ("http", "https") or "\n" in found.slack_url):
        raise InvalidInput("not an http(s) URL", where=SLACK_URL, next_action="copy the webhook's URL from Slack")
    if found.email_to and not found.email_smarthost:
        raise InvalidInput("is needed with " + EMAIL_TO, where=EMAIL_SMARTHOST, next_action="set it to host:port")
    return found


def slack_finding(environment: Mapping[str, str]) -> Finding:
    """For `doctor`: whether alerts reach Slack. Without it nobody outside this machine hears of an incident."""
    told = bool(environment.get(SLACK_URL))
    return Finding(
        SLACK_URL,
        State.OK if told else State.WARNING,
        "set" if told else "NOT SET: no alert reaches Slack, whatever happens",
        "" if told else f"export {SLACK_URL}=…  (alerts still reach the incident desk)",
    )
