"""Alert rules: found in the scenarios' folders and in ours, checked, and written for one stack's Prometheus.

Every alert must say how bad it is, whose it is, what it belongs to and what to read: the desk and the routes rely on
it, so a rule without them is refused here, before Prometheus sees it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lakeproof.errors import InvalidInput
from lakeproof.observability.durations import parse_duration
from lakeproof.observability.runbook import PREFIX, own_runbooks
from lakeproof.observability.scenario_homes import scenario_homes, scenario_id
from lakeproof.observability.teams import all_teams
from lakeproof.observability.timing import compress
from lakeproof.strict_model import StrictModel
from lakeproof.yaml_file import load_yaml

PACKAGE = Path(__file__).parent.parent
OWN_RULES = PACKAGE / "observability" / "rules"
TEMPLATE_START = "{{"
# Wide enough that no line of a rule is folded.
WIDTH = 1_000


class AlertLabels(BaseModel):
    """Labels that every alert carries; more are welcome."""

    model_config = ConfigDict(extra="allow")

    severity: Literal["warning", "high", "critical"]
    team: str
    scenario: str
    component: str


class AlertAnnotations(BaseModel):
    """Annotations that every alert carries. `metric` and `value` tell the desk what was violated.

    `unit_vi` and `unit_en` stand where the value is not the bare metric in the metric's own unit. They say what the
    number is, as words that follow it: "92.7" "% of max_connections".
    """

    model_config = ConfigDict(extra="allow")

    runbook_url: str
    summary_vi: str
    summary_en: str
    metric: str
    value: str
    unit_vi: str = ""
    unit_en: str = ""


class AlertRule(StrictModel):
    """One alerting rule in Prometheus' own format."""

    alert: str
    expr: str
    for_: str = Field("0s", alias="for")
    keep_firing_for: str = "0s"
    labels: AlertLabels
    annotations: AlertAnnotations


@dataclass(frozen=True)
class RulesFile:
    """One file of rules. `name`: its scenario's id, or its own stem. `text`: its content, in production windows."""

    name: str
    path: Path
    text: str
    alerts: tuple[AlertRule, ...]


def find_rules(further_scenarios: Iterable[Path] = ()) -> tuple[RulesFile, ...]:
    """Every rules file: ours, the scenarios', and those of further scenario folders.

    Raises: InvalidInput for a file that is not valid, two files of one name, or two alerts of one name.
    """
    paths = [(path.stem, path) for path in sorted(OWN_RULES.glob("*.yml")) if not path.name.endswith(".test.yml")]
    homes = scenario_homes(further_scenarios)
    paths += [(scenario_id(home), path) for home in homes if (path := home / "alerts.yml").is_file()]
    found: dict[str, RulesFile] = {}
    owners: dict[str, Path] = {}
    for name, path in paths:
        if name in found:
            raise InvalidInput(
                f"{found[name].path} has the same name", where=str(path), next_action="rename a folder"
            )
        found[name] = load_rules(name, path)
        for alert in {rule.alert for rule in found[name].alerts}:
            if alert in owners:
                raise InvalidInput(
                    f"{alert} is also defined in {owners[alert]}",
                    where=str(path),
                    next_action="rename one of the two alerts, and its name in that folder's scenario.yaml",
                )
            owners[alert] = path
    return tuple(found.values())


def load_rules(name: str, path: Path) -> RulesFile:
    """Read and check one file. Raises: InvalidInput naming the alert and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
        data = load_yaml(text)
        groups = data["groups"]
        alerts = tuple(_check_rule(rule, path) for group in groups for rule in group["rules"] if "record" not in rule)
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"not a rules file: {error!r}", where=str(path), next_action="promtool check rules says more"
        ) from error
    return RulesFile(name, path, text, alerts)


def _check_rule(rule: Any, path: Path) -> AlertRule:
    alert = rule.get("alert", "a rule without a name")
    try:
        checked = AlertRule.model_validate(rule)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"{key}: {first['msg']}", where=f"{path}, {alert}", next_action=f"add or mend {key}"
        ) from None
    team = checked.labels.team
    if TEMPLATE_START not in team and team not in all_teams():
        raise InvalidInput(
            f"no team {team!r}", where=f"{path}, {alert}", next_action=f"one of {', '.join(all_teams())}"
        )
    for window in (checked.for_, checked.keep_firing_for):
        parse_duration(window)
    return checked


def render_rules(rules: Iterable[RulesFile], factor: int) -> dict[str, str]:
    """File name → text, windows divided by `factor`. Raises: InvalidInput for a window that gets too short."""
    return {f"{file.name}.yml": compress(file.text, factor, where=str(file.path)) for file in rules}


def one_document(rules: Iterable[RulesFile], factor: int) -> str:
    """All groups as one file that a Prometheus elsewhere can load; comments of the files are left out.

    Groups of two files may have one name, groups of one file may not: the later one gets its file's name too.
    Raises: as render_rules.
    """
    lines, taken = ["groups:\n"], set[str]()
    for name, text in render_rules(rules, factor).items():
        groups = load_yaml(text)["groups"]
        for group in groups:
            if group["name"] in taken:
                group["name"] = f"{group['name']} ({name.removesuffix('.yml')})"
            taken.add(group["name"])
        if groups:
            lines.append(f"# --- {name}, windows divided by {factor}\n")
            lines.append(yaml.dump(groups, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH))
    return "".join(lines)


class _Dumper(yaml.SafeDumper):
    """Writes a text of several lines as a block of lines, so that an expression stays readable."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def own_alerts(rules: Iterable[AlertRule]) -> dict[str, list[AlertRule]]:
    """Each page that belongs to no scenario, with the alerts that lead to it."""
    known = list(rules)
    return {
        name: [rule for rule in known if rule.annotations.runbook_url == f"{PREFIX}{name}"] for name in own_runbooks()
    }
