"""Who hears of which alert, asked of Alertmanager's own amtool, and in which words."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakeproof.errors import InvalidInput
from lakeproof.observability import receivers
from lakeproof.observability.receivers import Receivers, read_receivers
from lakeproof.observability.routes import all_routes
from lakeproof.observability.routing import MESSAGES_FILE, render_alertmanager, render_messages
from lakeproof.observability.rules import TEMPLATE_START, AlertRule, find_rules
from lakeproof.observability.teams import all_teams
from lakeproof.observability.timing import TIMINGS, Timing

DOCUMENT = Path(__file__).parents[2] / "docs" / "observability.md"
DESK = "http://127.0.0.1:8000"
ALL = Receivers(
    slack_url="https://hooks.example/x",
    pagerduty_key="key",
    email_to="infra@example.com",
    email_from="a@example.com",
    email_smarthost="localhost:25",
)
needs_amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")


def alerts() -> Iterator[tuple[AlertRule, str]]:
    """Every alert of every scenario, with each team that it can be of."""
    for rule in (rule for file in find_rules() for rule in file.alerts):
        for team in all_teams() if TEMPLATE_START in rule.labels.team else [rule.labels.team]:
            yield rule, team


ALERTS = list(alerts())


def by_contract(alert: str, severity: str, team: str) -> set[str]:
    """Who has to hear of it, written down once more, apart from routes.yml."""
    told = set()
    if alert != "IncidentNotAcknowledged":
        told.add("desk")
    if severity in ("high", "critical"):
        told.add("slack-data-ops")
    if team == "kafka":
        told.add("slack-kafka")
    if team == "cassandra" or alert == "IncidentNotAcknowledged":
        told.add("pagerduty")
    if team == "infrastructure":
        told.add("email")
    return told


def write(folder: Path, receivers: Receivers, timing: Timing = "production") -> Path:
    path = folder / "alertmanager.yml"
    path.write_text(render_alertmanager(folder, DESK, receivers, timing))
    (folder / MESSAGES_FILE).write_text(render_messages(DESK, receivers))
    return path


def told(config: Path, **labels: str) -> list[str]:
    """The receivers, in order, one as often as it would be told."""
    words = [f"{name}={value}" for name, value in labels.items()]
    asked = ["amtool", "config", "routes", "test", f"--config.file={config}", *words]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip().split(",")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("alertmanager"), ALL)


@needs_amtool
@pytest.mark.parametrize(("rule", "team"), ALERTS, ids=[f"{rule.alert}-{team}" for rule, team in ALERTS])
def test_every_alert_reaches_each_of_its_receivers_once(config: Path, rule: AlertRule, team: str) -> None:
    labels = {"alertname": rule.alert, "severity": rule.labels.severity, "team": team}
    labels |= {"scenario": rule.labels.scenario, "component": rule.labels.component.replace('"', "'")}
    assert sorted(told(config, **labels)) == sorted(by_contract(rule.alert, rule.labels.severity, team))


@needs_amtool
def test_an_alert_of_a_team_that_nobody_knows_reaches_the_desk_and_slack(config: Path) -> None:
    assert told(config, alertname="Strange", severity="critical", team="strangers") == ["desk", "slack-data-ops"]


@needs_amtool
def test_without_any_receiver_the_desk_hears_of_all_but_its_own_escalations(tmp_path: Path) -> None:
    config = write(tmp_path, Receivers())
    assert told(config, alertname="KafkaConnectTaskFailed", severity="high", team="kafka") == ["desk"]
    assert told(config, alertname="IncidentNotAcknowledged", severity="high", team="kafka") == ["nobody"]


def test_two_forgotten_incidents_are_two_messages_and_two_pages() -> None:
    grouped = yaml.safe_load(render_alertmanager(Path("/etc/x"), DESK, ALL, "production"))["route"]["group_by"]
    forgotten = {"alertname": "IncidentNotAcknowledged", "component": "desk", "scenario": "none"}
    two = (
        forgotten | {"incident": "INC-000007", "team": "kafka"},
        forgotten | {"incident": "INC-000008", "team": "cassandra"},
    )
    assert len({tuple(one.get(name, "") for name in grouped) for one in two}) == 2


@needs_amtool
@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("receivers", [ALL, Receivers()], ids=["all", "none"])
def test_amtool_accepts_the_configuration(tmp_path: Path, timing: Timing, receivers: Receivers) -> None:
    done = subprocess.run(
        ["amtool", "check-config", str(write(tmp_path, receivers, timing))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_row_of_the_table_names_a_receiver_that_is_built() -> None:
    text = render_alertmanager(Path("/etc/x"), DESK, ALL, "drill")
    assert [route.to for route in all_routes() if f"name: {route.to}\n" not in text] == []


def test_a_teams_channel_is_that_of_its_row() -> None:
    assert {name: team.channel for name, team in all_teams().items()} == {
        "data-platform": "Slack #data-ops",
        "kafka": "Slack #kafka",
        "cassandra": "PagerDuty",
        "infrastructure": "e-mail",
    }


def test_the_document_shows_the_table_and_every_setting() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = [
        f"| {route.alerts} | {' '.join(f'`{one}`' for one in route.matchers)} | {route.channel} | "
        f"{f'`{route.set_by}`' if route.set_by else 'always there'} |"
        for route in all_routes()
    ]
    # A bar within a cell would begin the next one.
    assert [row for row in rows if row.replace("high|critical", r"high\|critical") not in text] == []
    variables = [each for each in vars(receivers).values() if str(each).startswith("ALERTMANAGER_")]
    assert len(variables) == 10 and [each for each in variables if f"\n| `{each}` | " not in text] == []


def test_secrets_stand_in_files_not_in_the_configuration() -> None:
    text = render_alertmanager(Path("/etc/x"), DESK, Receivers(slack_url="https://hooks/secret"), "drill")
    assert "hooks/secret" not in text
    assert "/etc/x/slack-url" in text


def test_a_mail_server_elsewhere_must_speak_tls() -> None:
    elsewhere = Receivers(email_to="a@example.com", email_smarthost="mail.example.com:587")
    assert "require_tls: true" in render_alertmanager(Path("/etc/x"), DESK, elsewhere, "drill")
    assert "require_tls: false" in render_alertmanager(Path("/etc/x"), DESK, ALL, "drill")


def test_an_unset_slack_url_is_said_first_with_all_that_nobody_hears_of() -> None:
    first = read_receivers({}).unset[0]
    assert first.startswith("ALERTMANAGER_SLACK_WEBHOOK_URL is not set: high and critical alerts do NOT reach Slack")
    assert "#kafka" in first
    said = read_receivers({"ALERTMANAGER_SLACK_WEBHOOK_URL": "https://x/y"}).unset
    assert [line.partition(" ")[0] for line in said] == [
        "ALERTMANAGER_PAGERDUTY_ROUTING_KEY",
        "ALERTMANAGER_EMAIL_TO",
    ]


@pytest.mark.parametrize(
    "name", ["ALERTMANAGER_SLACK_WEBHOOK_URL", "ALERTMANAGER_PAGERDUTY_URL", "ALERTMANAGER_LINK_URL"]
)
@pytest.mark.parametrize("value", ["hooks.slack.com", "https://x/y\nevil: yes", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        read_receivers({name: value})


def test_mail_without_its_server_is_refused() -> None:
    with pytest.raises(InvalidInput, match="ALERTMANAGER_EMAIL_SMARTHOST"):
        read_receivers({"ALERTMANAGER_EMAIL_TO": "infra@example.com"})


def an_alert(connector: str, *, ended: bool = False) -> dict[str, Any]:
    return {
        "status": "resolved" if ended else "firing",
        "labels": {"alertname": "CdcReplicationLagHigh", "connector": connector},
        "annotations": {
            "summary_vi": f"CDC qua {connector} đang trễ",
            "summary_en": f"Capture through {connector} is late",
            "metric": "kafka_connect_source_task_lag_millis",
            "value": "61234",
            "runbook_url": "/runbook/replication-lag",
        },
        "startsAt": "2026-11-26T12:00:00Z",
        "endsAt": "2026-11-26T12:02:03.4Z" if ended else "0001-01-01T00:00:00Z",
        "fingerprint": f"f-{connector}",
    }


def message(
    folder: Path, part: str, *given: dict[str, Any], link_url: str = "", common: dict[str, str] | None = None
) -> str:
    """One part of a message as Alertmanager's own templates make it."""
    (folder / MESSAGES_FILE).write_text(render_messages(DESK, Receivers(link_url=link_url)))
    fires = any(alert["status"] == "firing" for alert in given)
    data = {
        "status": "firing" if fires else "resolved",
        "alerts": given,
        "commonLabels": {
            "alertname": "CdcReplicationLagHigh",
            "component": "connect",
            "severity": "high",
            "team": "data-platform",
        }
        | (common or {}),
        "commonAnnotations": {"runbook_url": "/runbook/replication-lag"},
    }
    (folder / "data.json").write_text(json.dumps(data))
    asked = ["amtool", "template", "render", f"--template.glob={folder / MESSAGES_FILE}"]
    asked += [f'--template.text={{{{ template "lakeproof.{part}" . }}}}', f"--template.data={folder / 'data.json'}"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout


@needs_amtool
def test_a_message_says_what_in_both_languages_how_much_since_when_and_where_to_go(tmp_path: Path) -> None:
    assert message(tmp_path, "title", an_alert("orders")) == (
        "[FIRING] CdcReplicationLagHigh · connect (high, data-platform)"
    )
    assert message(tmp_path, "text", an_alert("orders")) == (
        "CDC qua orders đang trễ\n"
        "Capture through orders is late\n"
        "kafka_connect_source_task_lag_millis: 61234, firing since 2026-11-26 12:00:00 UTC\n"
        f"Incident: {DESK}/alerts/f-orders\n"
        f"Runbook: {DESK}/runbook/replication-lag?lang=vi (?lang=en)\n"
    )


@needs_amtool
def test_a_value_that_is_not_the_metric_itself_is_told_with_what_it_is(tmp_path: Path) -> None:
    full = an_alert("orders")
    full["annotations"] |= {"metric": "connections", "value": "92.7", "unit_en": "% of max_connections"}
    assert "\n92.7 % of max_connections (connections), firing since 2026-11-26" in message(tmp_path, "text", full)


@needs_amtool
def test_a_message_about_a_forgotten_incident_names_it_and_its_team_in_the_title(tmp_path: Path) -> None:
    escalated = an_alert("orders")
    own = {"alertname": "IncidentNotAcknowledged", "component": "desk", "team": "kafka", "incident": "INC-000007"}
    escalated["labels"] = own
    assert message(tmp_path, "title", escalated, common=own) == (
        "[FIRING] IncidentNotAcknowledged · desk · INC-000007 (high, kafka)"
    )


@needs_amtool
def test_a_group_of_which_one_alert_ended_says_which(tmp_path: Path) -> None:
    given = (an_alert("orders"), an_alert("shop", ended=True))
    assert message(tmp_path, "title", *given).startswith("[FIRING] ")
    before, after = message(tmp_path, "text", *given).split("\nNo longer firing:\n")
    assert "orders" in before and "shop" not in before
    assert "cleared at 2026-11-26 12:02:03 UTC, after 2m3s" in after and "61234" not in after
    assert message(tmp_path, "title", an_alert("shop", ended=True)).startswith("[RESOLVED] ")


@needs_amtool
def test_a_storm_is_a_message_that_somebody_can_read(tmp_path: Path) -> None:
    given = [an_alert(f"c{number}") for number in range(500)]
    assert message(tmp_path, "title", *given).startswith("[FIRING 500] ")
    text = message(tmp_path, "text", *given)
    assert text.count("Incident: ") == 10 and text.endswith("… 500 alerts in all\n")


@needs_amtool
def test_links_lead_where_people_reach_the_desk(tmp_path: Path) -> None:
    escalated = an_alert("orders")
    escalated["labels"]["incident"] = "INC-000007"
    link = message(tmp_path, "first_incident", escalated, link_url="https://desk.example.com")
    assert link == "https://desk.example.com/incidents/INC-000007"


@needs_amtool
@pytest.mark.parametrize("part", ["title", "fallback", "text"])
def test_nothing_in_a_message_is_markup_to_slack_and_mail_has_it_as_it_is(part: str, tmp_path: Path) -> None:
    given = yaml.safe_load(render_alertmanager(Path("/etc/x"), DESK, ALL, "production"))["receivers"]
    receivers = {one["name"]: one for one in given}
    evil = "<!channel> R&D <https://evil.example|Runbook>"
    alert = an_alert("orders")
    alert["annotations"] = dict.fromkeys(alert["annotations"], evil)
    alert["labels"]["incident"] = alert["fingerprint"] = evil
    common = dict.fromkeys(("alertname", "component", "severity", "team", "incident"), evil)

    def said(template: str) -> str:
        (name,) = re.findall(r'^{{ template "lakeproof\.(.+)" \. }}$', template)
        return message(tmp_path, name, alert, alert | {"status": "resolved"}, common=common)

    mail = receivers["email"]["email_configs"][0]
    plain = said(mail["text"] if part == "text" else mail["headers"]["Subject"])
    assert evil in plain
    for channel in ("slack-data-ops", "slack-kafka"):
        in_slack = said(receivers[channel]["slack_configs"][0][part])
        assert not re.search("[<>]|&(?!amp;|lt;|gt;)", in_slack)
        assert html.unescape(in_slack) == plain
