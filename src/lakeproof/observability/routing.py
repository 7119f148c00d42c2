"""Alertmanager's configuration: all alerts to the desk, high and critical to Slack, a team's own to its receiver."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lakeproof.observability.receivers import Receivers
from lakeproof.observability.teams import all_teams
from lakeproof.observability.timing import Timing

# Secrets lie in files beside the configuration, never in it.
TOKEN_FILE = "desk-token"
SLACK_FILE = "slack-url"


@dataclass(frozen=True)
class Pace:
    """How long Alertmanager collects before it speaks."""

    group_wait: str
    group_interval: str
    repeat_interval: str


PACES: dict[Timing, Pace] = {"drill": Pace("0s", "1s", "1h"), "production": Pace("1s", "10s", "4h")}


def render_alertmanager(etc_dir: Path, desk_url: str, receivers: Receivers, timing: Timing) -> str:
    """The text of alertmanager.yml; `desk_url` without a slash at the end."""
    pace = PACES[timing]
    built = _receivers(etc_dir, desk_url, receivers)
    routes: list[dict[str, Any]] = [{"receiver": "desk", "continue": True}]
    if "slack-data-ops" in built:
        routes.append({"receiver": "slack-data-ops", "matchers": ['severity=~"high|critical"'], "continue": True})
    routes += [
        {"receiver": team.receiver, "matchers": [f'team="{team.name}"'], "continue": True}
        for team in all_teams().values()
        if team.receiver in built
    ]
    config = {
        "route": {
            "receiver": "desk",
            "group_by": ["alertname", "component", "scenario"],
            "group_wait": pace.group_wait,
            "group_interval": pace.group_interval,
            "repeat_interval": pace.repeat_interval,
            "routes": routes,
        },
        "receivers": [{"name": name, **fields} for name, fields in built.items()],
    }
    return _dumped(config)


def repaced(text: str, timing: Timing) -> str:
    """That alertmanager.yml at the pace of `timing`, and else as it is: receivers and their keys stay."""
    config = yaml.safe_load(text)
    pace = PACES[timing]
    config["route"] |= {
        "group_wait": pace.group_wait,
        "group_interval": pace.group_interval,
        "repeat_interval": pace.repeat_interval,
    }
    return _dumped(config)


def _dumped(config: dict[str, Any]) -> str:
    return yaml.safe_dump(config, sort_keys=False, width=200, allow_unicode=True)


def _receivers(etc_dir: Path, desk_url: str, receivers: Receivers) -> dict[str, dict[str, Any]]:
    webhook = {
        "url": f"{desk_url}/api/alertmanager",
        "send_resolved": True,
        "http_config": {
            "authorization": {"type": "Bearer", "credentials_file": str(etc_dir / TOKEN_FILE)},
            "follow_redirects": False,
        },
    }
    found: dict[str, dict[str, Any]] = {"desk": {"webhook_configs": [webhook]}}
    if receivers.slack_url:
        for channel in ("data-ops", "kafka"):
            found[f"slack-{channel}"] = {"slack_configs": [_slack(etc_dir, desk_url, f"#{channel}")]}
    if receivers.pagerduty_key:
        found["pagerduty"] = {"pagerduty_configs": [{"routing_key": receivers.pagerduty_key, "send_resolved": True}]}
    if receivers.email_to:
        found["email"] = {
            "email_configs": [
                {
                    "to": receivers.email_to,
                    "from": receivers.email_from,
                    "smarthost": receivers.email_smarthost,
                    "send_resolved": True,
                }
            ]
        }
    return found


def _slack(etc_dir: Path, desk_url: str, channel: str) -> dict[str, Any]:
    return {
        "api_url_file": str(etc_dir / SLACK_FILE),
        "channel": channel,
        "send_resolved": True,
        "title": "[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }} {{ .CommonLabels.component }} "
        "({{ .CommonLabels.severity }})",
        "text": "{{ range .Alerts }}{{ .Annotations.summary_vi }}\n{{ .Annotations.summary_en }}\n"
        f"{desk_url}{{{{ .Annotations.runbook_url }}}}\n{{{{ end }}}}",
    }
