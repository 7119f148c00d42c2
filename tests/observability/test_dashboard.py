import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lakeproof.observability.dashboard import read_dashboard

ROOT = Path(__file__).parents[2]
GENERATOR = ROOT / "scripts" / "dashboards" / "dataflow_overview.py"
DASHBOARD: dict[str, Any] = json.loads(read_dashboard())
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

# Named by the runbook, to the letter.
NAMED = {
    "Service availability",
    "Cassandra latency",
    "MySQL/PostgreSQL connection",
    "Kafka Connect",
    "Trino",
    "MinIO",
    "HTTP probe",
    "Notification send rate",
    "Notification rate limited",
    "Notification drops by reason",
    "Opt-outs & preference updates",
    "Support timeline p95 latency",
}


def test_the_committed_json_is_what_the_generator_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(GENERATOR.parent)
    pytest.importorskip("grafana_foundation_sdk", reason="only developers have it")
    spec = importlib.util.spec_from_file_location("dataflow_overview", GENERATOR)
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert generator.render() == read_dashboard(), f"run {GENERATOR.relative_to(ROOT)} and commit the JSON"


def test_every_panel_that_the_runbook_names_is_there_once() -> None:
    titles = [panel["title"] for panel in PANELS]
    assert DASHBOARD["title"] == "Dataflow Overview"
    assert NAMED - set(titles) == set()
    assert len(titles) == len(set(titles))


def test_the_console_can_draw_every_panel() -> None:
    assert {panel["type"] for panel in PANELS} == {"timeseries", "stat", "table"}
    assert [panel["title"] for panel in PANELS if "$__" in json.dumps(panel)] == []
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for panel in PANELS:
        for target in panel["targets"]:
            assert target["instant"] == (panel["type"] != "timeseries"), panel["title"]
            assert target["legendFormat"], panel["title"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_can_read_every_expression(tmp_path: Path) -> None:
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions)]
    # JSON is YAML too.
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", "panels.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
