import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.observability.exported import exported, exporters_of

from lakeproof.errors import InvalidInput
from lakeproof.observability.promql import find_selectors
from lakeproof.observability.rules import (
    OWN_RULES,
    TEMPLATE_START,
    AlertRule,
    RulesFile,
    find_rules,
    load_rules,
    one_document,
    render_rules,
)
from lakeproof.observability.runbook import PREFIX, Language, find_runbook
from lakeproof.observability.scenario_homes import SCENARIOS
from lakeproof.observability.timing import DRILL_FACTOR
from lakeproof.stack.components import all_components
from lakeproof.yaml_file import load_yaml

RULES = find_rules()
RULE_TESTS = sorted([*OWN_RULES.glob("*.test.yml"), *SCENARIOS.glob("*/alerts.test.yml")])
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")

VALID = """groups:
  - name: g
    rules:
      - alert: A
        expr: up == 0
        for: 5m
        labels: {severity: high, team: kafka, scenario: none, component: kafka}
        annotations: {runbook_url: /runbook/a, summary_vi: a, summary_en: b, metric: up, value: x}
"""


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.name)
def test_a_scenarios_alerts_carry_its_id(rules: RulesFile) -> None:
    if rules.path.parent.parent == SCENARIOS:
        assert {rule.labels.scenario for rule in rules.alerts} == {rules.name}


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.name)
def test_every_alert_says_which_metric_and_value_were_violated(rules: RulesFile) -> None:
    for rule in rules.alerts:
        named = [one.metric for one in find_selectors(rule.expr) if one.metric in rule.annotations.metric]
        assert named or rule.annotations.metric in rule.expr, rule.alert
        assert rule.annotations.value


def value_is_the_bare_metric(rule: AlertRule) -> bool:
    """True where the value is the metric in its own unit: the metric itself, or its largest, smallest, mean or sum,
    compared with a number.
    """
    watched = re.split(r"\s+unless\b", rule.expr.strip())[0]
    series = rf"{re.escape(rule.annotations.metric)}(?:{{[^{{}}]*}})?"
    aggregated = rf"(?:max|min|avg|sum)\s*(?:(?:by|without)\s*\([^()]*\))?\s*\(\s*{series}\s*\)"
    return re.fullmatch(rf"(?:{aggregated}|{series})\s*(?:[<>]=?|==)\s*[\d.e]+", watched) is not None


@pytest.mark.parametrize(
    ("expression", "bare"),
    [
        ("up == 0", True),
        ('max by (job) (up{job="a"}) > 1e3\nunless on () max(b) > time()', True),
        ("time() - up > 60", False),
        ("max(max_over_time(up[1m])) > 60", False),
        ("sum(increase(up[5m])) > 0", False),
        ("count(up) > 2", False),
        ("max(up) / max(b) > 0.9", False),
        ("100 * max(up) > 90", False),
        ("max(up) > 3 or max(b) > 4", False),
        ("up < (count(b) or vector(1))", False),
    ],
)
def test_an_expression_whose_value_is_another_quantity_than_its_metric_is_told_apart(
    expression: str, bare: bool
) -> None:
    told = {"runbook_url": "/runbook/a", "summary_vi": "a", "summary_en": "b", "metric": "up", "value": "1"}
    labels = {"severity": "high", "team": "kafka", "scenario": "none", "component": "kafka"}
    rule = AlertRule.model_validate({"alert": "A", "expr": expression, "labels": labels, "annotations": told})
    assert value_is_the_bare_metric(rule) is bare


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.name)
def test_a_value_that_is_not_the_bare_metric_says_in_both_languages_what_it_is(rules: RulesFile) -> None:
    told = {rule.alert: rule.annotations for rule in rules.alerts if not value_is_the_bare_metric(rule)}
    assert [name for name, one in told.items() if not (one.unit_vi and one.unit_en)] == []


WATCHED = re.compile(r'lakeproof_component_watched_since_seconds(?:{component=~?"([^"]*)"})?')


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: rules.name)
def test_no_alert_speaks_of_a_component_that_is_started_or_stopped_by_command(rules: RulesFile) -> None:
    for rule in rules.alerts:
        # It speaks of an incident: while the desk is away, what was told stays told.
        if rule.alert == "IncidentNotAcknowledged":
            continue
        # It is there for a capture that was stopped by command and forgotten.
        if rule.alert == "CapturePlaceExpiring":
            continue
        asked = {name for found in WATCHED.findall(rule.expr) for name in found.split("|")}
        # An expression whose result has a label `component` compares that label; the others name theirs.
        assert (rule.labels.component if TEMPLATE_START not in rule.labels.component else "") in asked, rule.alert


def test_the_scrape_of_each_of_our_own_services_whose_metrics_a_rule_reads_is_missed() -> None:
    [rule] = [rule for rules in RULES for rule in rules.alerts if rule.alert == "ServiceUnavailable"]
    [up] = [one for one in find_selectors(rule.expr) if one.metric == "up"]
    read = {selector.metric for rules in RULES for each in rules.alerts for selector in find_selectors(each.expr)}
    sources = {job for metric in read for job in exporters_of(metric, exported())}
    ours = [one.name for one in all_components().values() if one.kind == "service" and one.name in sources]
    assert [name for name in ours if not up.takes(name)] == []


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_runbook_url_leads_to_a_text(language: Language) -> None:
    names = {rule.annotations.runbook_url.removeprefix(PREFIX) for rules in RULES for rule in rules.alerts}
    assert [name for name in sorted(names) if not find_runbook(name, language)] == []


def test_every_file_of_rules_has_a_test_of_each_alert() -> None:
    tested = "".join(path.read_text() for path in RULE_TESTS)
    assert [
        rule.alert for rules in RULES for rule in rules.alerts if f"alertname: {rule.alert}\n" not in tested
    ] == []


@needs_promtool
@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_rules_fire_and_clear_as_their_tests_say_in_production_windows(path: Path) -> None:
    done = subprocess.run(["promtool", "test", "rules", path.name], cwd=path.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("factor", [1, DRILL_FACTOR])
def test_promtool_accepts_every_rule_in_each_timing(factor: int, tmp_path: Path) -> None:
    for name, text in render_rules(RULES, factor).items():
        (tmp_path / name).write_text(text)
    files = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run(["promtool", "check", "rules", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("factor", [1, DRILL_FACTOR])
def test_promtool_accepts_every_rule_in_one_document(factor: int, tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(one_document(RULES, factor))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("factor", [1, DRILL_FACTOR])
def test_one_document_says_what_all_files_say(factor: int) -> None:
    apart = [group for text in render_rules(RULES, factor).values() for group in load_yaml(text)["groups"]]
    assert load_yaml(one_document(RULES, factor)) == {"groups": apart}


def test_two_files_may_have_a_group_of_one_name_and_one_document_may_not(tmp_path: Path) -> None:
    files = []
    for name in ("first", "second", "empty"):
        (tmp_path / f"{name}.yml").write_text("groups: []\n" if name == "empty" else VALID)
        files.append(load_rules(name, tmp_path / f"{name}.yml"))
    assert [group["name"] for group in load_yaml(one_document(files, 1))["groups"]] == ["g", "g (second)"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("severity: high", "severity: grave", r"A: labels\.severity: Input should be"),
        ("team: kafka, ", "", r"labels\.team: Field required"),
        ("team: kafka", "team: nobody", "no team 'nobody'.*one of data-platform"),
        ("summary_vi: a, ", "", r"annotations\.summary_vi: Field required"),
        ("metric: up, ", "", r"annotations\.metric: Field required"),
        (", value: x", "", r"annotations\.value: Field required"),
        ("for: 5m", "for: five", "not a duration"),
        ("for: 5m", "keep_firing_for: five", "not a duration"),
        ("    rules:", "    rules:\n      - a text", "not a rules file"),
        ("    rules:", "    rules:\n      - [a, list]", "not a rules file"),
        ("expr: up == 0", "exprr: up == 0", "expr"),
        ("groups:", "group:", "not a rules file"),
        ("  - name: g", " - name: [", "not a rules file"),
    ],
)
def test_a_rule_that_lacks_something_is_refused_by_name(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "alerts.yml"
    path.write_text(VALID.replace(old, new))
    with pytest.raises(InvalidInput, match=message):
        load_rules("a", path)


def test_a_folder_outside_the_package_brings_its_rules(tmp_path: Path) -> None:
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "alerts.yml").write_text(VALID)
    assert "strange" in {rules.name for rules in find_rules([tmp_path])}


def test_a_folder_that_is_a_scenario_itself_brings_its_rules(tmp_path: Path) -> None:
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "alerts.yml").write_text(VALID)
    assert "strange" in {rules.name for rules in find_rules([tmp_path / "strange"])}


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "alerts.yml").write_text(VALID)
    with pytest.raises(InvalidInput, match=r"A is also defined in .*one.* Next: rename one"):
        find_rules([tmp_path])
