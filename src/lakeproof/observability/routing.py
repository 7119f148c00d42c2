"""Alertmanager's configuration: who hears of which alert by routes.yml, with the words of messages.tmpl."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from lakeproof.observability.receivers import Receivers
from lakeproof.observability.routes import all_routes
from lakeproof.observability.timing import Timing
from lakeproof.yaml_file import load_yaml

# The desk's token and Slack's addresses, by channel, lie in files beside the configuration. Other secrets stand in it
# (alertmanager.write_config).
TOKEN_FILE = "desk-token"
SLACK_FILES = {"slack-data-ops": "slack-url", "slack-kafka": "slack-kafka-url"}
MESSAGES_FILE = "messages.tmpl"
# Of an alert that fires with two severities only the worse one is told.
INHIBITED = {
    "source_matchers": ['severity=~"high|critical"'],
    "target_matchers": ['severity="warning"'],
    "equal": ["alertname", "component", "scenario"],
}
# Gets an alert that fits no row, such as an escalation where nobody is configured: the desk's page still shows it.
NOBODY = "nobody"
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# An action of a template that prints a value, such as {{ .Annotations.summary_en }}.
_PRINTED = re.compile(r"\{\{(-?) (\$?\.[\w.]*) (-?)\}\}")
# What Slack wants escaped, and no more: <!channel> pings everybody, <https://x|Runbook> is a link with any words.
_FOR_SLACK = "".join(
    f' | reReplaceAll "{sign}" "{said}"' for sign, said in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
)


# How long Alertmanager collects before it speaks.
PACES: dict[Timing, dict[str, str]] = {
    "drill": {"group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"},
    "production": {"group_wait": "1s", "group_interval": "10s", "repeat_interval": "4h"},
}


def render_alertmanager(etc_dir: Path, desk_url: str, receivers: Receivers, timing: Timing) -> str:
    """The text of alertmanager.yml; `desk_url` without a slash at the end."""
    built = _receivers(etc_dir, desk_url, receivers)
    config = {
        "route": {
            "receiver": NOBODY,
            # Each forgotten incident is a message, and a page, of its own; other alerts have no label `incident`.
            "group_by": ["alertname", "component", "scenario", "incident"],
            **PACES[timing],
            "routes": [
                {"receiver": route.to, "matchers": list(route.matchers), "continue": True}
                for route in all_routes()
                if receivers.tells(route.set_by)
            ],
        },
        "inhibit_rules": [INHIBITED],
        "templates": [str(etc_dir / MESSAGES_FILE)],
        "receivers": [{"name": NOBODY}, *({"name": name, **fields} for name, fields in built.items())],
    }
    return _dumped(config)


def render_messages(desk_url: str, receivers: Receivers) -> str:
    """The text of messages.tmpl: every message's words, with the address that links lead to.

    All templates stand in it twice: in lakeproof.slack.NAME every value is escaped, lest it be markup to Slack.
    """
    words = (files("lakeproof.observability") / MESSAGES_FILE).read_text(encoding="utf-8")
    plain = f'{{{{ define "lakeproof.desk" }}}}{receivers.link_url or desk_url}{{{{ end }}}}\n\n{words}'
    for_slack = _PRINTED.sub(rf"{{{{\1 \2{_FOR_SLACK} \3}}}}", plain).replace('"lakeproof.', '"lakeproof.slack.')
    return f"{plain}\n{for_slack}"


def repaced(text: str, timing: Timing) -> str:
    """`text`, an alertmanager.yml, at the pace of `timing` and else unchanged: receivers and their keys stay."""
    config = load_yaml(text)
    config["route"] |= PACES[timing]
    return _dumped(config)


def _dumped(config: dict[str, Any]) -> str:
    return yaml.safe_dump(config, sort_keys=False, width=200, allow_unicode=True)


def _template(name: str) -> str:
    return f'{{{{ template "lakeproof.{name}" . }}}}'


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
        for name, file in SLACK_FILES.items():
            found[name] = {"slack_configs": [_slack(etc_dir / file, "#" + name.removeprefix("slack-"))]}
    if receivers.pagerduty_key:
        found["pagerduty"] = {"pagerduty_configs": [_pagerduty(receivers)]}
    if receivers.email_to:
        found["email"] = {"email_configs": [_email(receivers)]}
    return found


def _slack(url_file: Path, channel: str) -> dict[str, Any]:
    return {
        "api_url_file": str(url_file),
        "channel": channel,
        "send_resolved": True,
        "color": '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}',
        "title": _template("slack.title"),
        "title_link": _template("first_incident"),
        "text": _template("slack.text"),
        "fallback": _template("slack.title"),
    }


def _pagerduty(receivers: Receivers) -> dict[str, Any]:
    """PagerDuty's receiver. Alertmanager keeps one page there for each group of alerts, and resolves that page."""
    severity = '{{ if eq .CommonLabels.severity "critical" }}critical{{ else if eq .CommonLabels.severity "high" }}'
    made = {
        "routing_key": receivers.pagerduty_key,
        "send_resolved": True,
        "client": "Lakeproof",
        "client_url": _template("first_incident"),
        "description": _template("title") + " {{ .CommonAnnotations.summary_en }}",
        "severity": severity + "error{{ else }}warning{{ end }}",
        "component": "{{ .CommonLabels.component }}",
        "group": "{{ .CommonLabels.scenario }}",
        "class": "{{ .CommonLabels.alertname }}",
        "details": {"message": _template("text")},
        "links": [{"href": _template("runbook"), "text": "Runbook"}],
    }
    return made | ({"url": receivers.pagerduty_url} if receivers.pagerduty_url else {})


def _email(receivers: Receivers) -> dict[str, Any]:
    made = {
        "to": receivers.email_to,
        "from": receivers.email_from,
        "smarthost": receivers.email_smarthost,
        "send_resolved": True,
        "headers": {"Subject": _template("title")},
        "text": _template("text"),
        "html": "",
        # A relay on this machine has no certificate that anybody would trust.
        "require_tls": receivers.email_smarthost.rpartition(":")[0] not in LOOPBACK,
    }
    if receivers.email_username:
        made |= {"auth_username": receivers.email_username, "auth_password": receivers.email_password}
    return made
