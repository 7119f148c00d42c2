"""Contract, exporters, rules and dashboard name the same metrics."""

import json
import re
from pathlib import Path

import pytest
import yaml
from tests.observability.exported import (
    AGENTS,
    PROMETHEUS_OWN,
    agents_names,
    exported,
    exporters_of,
    pages,
)

from lakeproof.observability.dashboard import read_dashboard
from lakeproof.observability.promql import find_selectors
from lakeproof.observability.rules import PACKAGE, find_rules
from lakeproof.stack.components import all_components

CONTRACT = yaml.safe_load((Path(__file__).parent / "contract.yml").read_text(encoding="utf-8"))
JOBS = exported()
RULES = [rule for file in find_rules() for rule in file.alerts]
PANELS = [panel for panel in json.loads(read_dashboard())["panels"] if panel["type"] != "row"]
EXPRESSIONS = {rule.alert: rule.expr for rule in RULES} | {
    f"{panel['title']}: {target['legendFormat']}": target["expr"] for panel in PANELS for target in panel["targets"]
}
METRICS_FILE = PACKAGE / "observability" / "metrics.yml"
JOB_OF = yaml.safe_load(METRICS_FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_somebody_exports_each_metric_that_a_rule_or_a_panel_reads(where: str) -> None:
    read = {selector.metric for selector in find_selectors(EXPRESSIONS[where])} - PROMETHEUS_OWN
    assert read or "ALERTS" in EXPRESSIONS[where]
    assert [metric for metric in sorted(read) if not exporters_of(metric, JOBS)] == []
    assert [metric for metric in sorted(read) if metric not in JOB_OF] == [], f"name its job in {METRICS_FILE.name}"


def test_each_metric_is_declared_at_a_job_that_exports_it() -> None:
    assert [name for name, job in JOB_OF.items() if job not in exporters_of(name, JOBS)] == []


@pytest.mark.parametrize("metric", CONTRACT["metrics"])
def test_a_metric_of_the_contract_is_exported_and_watched(metric: str) -> None:
    assert exporters_of(metric, JOBS)
    assert {metric, f"{metric}_bucket"} & JOB_OF.keys()


@pytest.mark.parametrize("metric", [name for name, labels in CONTRACT["metrics"].items() if labels])
def test_a_metric_of_the_contract_has_its_labels(metric: str) -> None:
    lines = [
        line for page in pages().values() for line in page.splitlines() if re.match(rf"{metric}(_bucket)?{{", line)
    ]
    assert lines
    for label in CONTRACT["metrics"][metric]:
        found = {value for line in lines for value in re.findall(rf'[{{,]{label}="([^"]*)"', line)}
        assert found >= set(CONTRACT["values"].get(metric, ())), label
        assert found, label


def test_every_panel_of_the_contract_is_there() -> None:
    assert set(CONTRACT["panels"]) - {panel["title"] for panel in PANELS} == set()


def test_every_alert_of_the_contract_is_there() -> None:
    assert set(CONTRACT["alerts"]) - {rule.alert for rule in RULES} == set()


@pytest.mark.parametrize("agent", [path.stem for path in sorted(AGENTS.glob("*.yml"))])
def test_an_agents_rules_make_the_names_that_are_kept(agent: str) -> None:
    patterns = list(agents_names(agent))
    components = [name for name in all_components() if re.fullmatch(rf"{agent}(-seed|-node\d)?", name)]
    assert components
    for component in components:
        kept = [
            name for scrape in all_components()[component].scrapes if scrape.port == "jmx" for name in scrape.names
        ]
        assert [name for name in kept if not any(pattern.fullmatch(name) for pattern in patterns)] == []


def test_every_metric_that_is_kept_of_an_engine_is_read_by_somebody() -> None:
    """Who scrapes what nobody reads pays for it each second."""
    read = {selector.metric for text in EXPRESSIONS.values() for selector in find_selectors(text)}
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in (PACKAGE, PACKAGE.parents[1] / "tests")
        for path in folder.rglob("*.py")
        if "stack/engines" not in path.as_posix()
    )
    kept = {name for component in all_components().values() for scrape in component.scrapes for name in scrape.names}
    # Nobody reads a metric of blackbox-exporter itself; were none named, Prometheus would keep them all.
    kept -= {"blackbox_exporter_config_last_reload_successful"}
    assert [name for name in sorted(kept - read) if name not in code] == []
