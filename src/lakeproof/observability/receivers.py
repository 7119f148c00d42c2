"""Who Alertmanager tells beside the desk: Slack, PagerDuty, e-mail. Set by environment, as on-call teams know it.

A receiver that is not configured is left out, so that an alert never waits for a dead address; `unset` says which.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lakeproof.errors import InvalidInput
from lakeproof.install.doctor import Finding, State
from lakeproof.observability.routes import Route, all_routes

SLACK_URL = "ALERTMANAGER_SLACK_WEBHOOK_URL"
SLACK_KAFKA_URL = "ALERTMANAGER_SLACK_KAFKA_WEBHOOK_URL"
PAGERDUTY_KEY = "ALERTMANAGER_PAGERDUTY_ROUTING_KEY"
PAGERDUTY_URL = "ALERTMANAGER_PAGERDUTY_URL"
EMAIL_TO = "ALERTMANAGER_EMAIL_TO"
EMAIL_FROM = "ALERTMANAGER_EMAIL_FROM"
EMAIL_SMARTHOST = "ALERTMANAGER_EMAIL_SMARTHOST"
EMAIL_USERNAME = "ALERTMANAGER_EMAIL_USERNAME"
EMAIL_PASSWORD = "ALERTMANAGER_EMAIL_PASSWORD"
LINK_URL = "ALERTMANAGER_LINK_URL"
URLS = (SLACK_URL, SLACK_KAFKA_URL, PAGERDUTY_URL, LINK_URL)


@dataclass(frozen=True)
class Receivers:
    """What the environment configures; "" where it configures nothing."""

    slack_url: str = ""
    pagerduty_key: str = ""
    email_to: str = ""
    email_from: str = ""
    email_smarthost: str = ""
    slack_kafka_url: str = ""
    pagerduty_url: str = ""
    email_username: str = ""
    email_password: str = ""
    link_url: str = ""

    def tells(self, set_by: str) -> bool:
        """True where the environment has the variable that a route is `set_by`."""
        return bool(
            {"": "desk", SLACK_URL: self.slack_url, PAGERDUTY_KEY: self.pagerduty_key}.get(set_by, self.email_to)
        )

    @property
    def unset(self) -> tuple[str, ...]:
        """Which alerts nobody hears of, in words, the most important first."""
        return silences(route for route in all_routes() if not self.tells(route.set_by))


def silences(missing: Iterable[Route]) -> tuple[str, ...]:
    """Which alerts nobody hears of without these routes, in a sentence for each variable that is not set."""
    found: dict[str, list[str]] = {}
    for route in missing:
        found.setdefault(route.set_by, []).append(f"{route.alerts} do NOT reach {route.channel}")
    return tuple(f"{name} is not set: {', '.join(words)}" for name, words in found.items())


def read_receivers(environment: Mapping[str, str]) -> Receivers:
    """Read the receivers from the environment.

    Raises: InvalidInput for an address that is no URL, or e-mail without its server.
    """
    for name in URLS:
        value = environment.get(name, "")
        if value and (urlsplit(value).scheme not in ("http", "https") or not value.isprintable()):
            raise InvalidInput(
                "not an http(s) URL", where=name, next_action="copy the address once more, or unset it"
            )
    found = Receivers(
        slack_url=environment.get(SLACK_URL, ""),
        slack_kafka_url=environment.get(SLACK_KAFKA_URL, ""),
        pagerduty_key=environment.get(PAGERDUTY_KEY, ""),
        pagerduty_url=environment.get(PAGERDUTY_URL, ""),
        email_to=environment.get(EMAIL_TO, ""),
        email_from=environment.get(EMAIL_FROM, "lakeproof@localhost"),
        email_smarthost=environment.get(EMAIL_SMARTHOST, ""),
        email_username=environment.get(EMAIL_USERNAME, ""),
        email_password=environment.get(EMAIL_PASSWORD, ""),
        link_url=environment.get(LINK_URL, "").rstrip("/"),
    )
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
