"""The GitHub workflows: actionlint accepts them, and they run what the runbook says, by the names that it says."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakeproof.errors import MissingArtifact
from lakeproof.install import artifacts

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".github" / "workflows"


def workflow(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load((FOLDER / f"{name}.yml").read_text())
    return found


def test_actionlint_accepts_every_workflow() -> None:
    try:
        program = artifacts.path("checkers") / "bin" / "actionlint"
    except MissingArtifact:
        pytest.skip("actionlint is not built: lakeproof setup --only checkers")
    files = sorted(FOLDER.glob("*.yml"))
    assert len(files) >= 3
    done = subprocess.run([program, *files], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("name", "title", "artifact", "script"),
    [
        (
            "support-synthetic-probe",
            "Support Synthetic Probe",
            "support-service-logs",
            "scripts/synthetic/support_timeline_probe.py",
        ),
        (
            "notification-synthetic-probe",
            "Notification Synthetic Probe",
            "notification-service-logs",
            "scripts/synthetic/notification_probe.py",
        ),
    ],
)
def test_a_nightly_probe_runs_make_s_own_script_and_keeps_what_it_said(
    name: str, title: str, artifact: str, script: str
) -> None:
    found = workflow(name)
    steps = found["jobs"]["probe"]["steps"]
    assert found["name"] == title
    assert found[True]["schedule"] == [{"cron": "0 2 * * *"}]  # YAML 1.1 reads the key `on` as true
    (kept,) = (step for step in steps if str(step.get("uses", "")).startswith("actions/upload-artifact@"))
    assert kept["with"]["name"] == artifact and kept["if"] == "always()"
    (probe,) = (step["run"] for step in steps if step.get("name") == "Probe")
    assert script in probe and f"tee {artifact}/probe.json" in probe
    assert script in (ROOT / "Makefile").read_text()


def test_the_plain_workflow_runs_make_s_fast_tests_and_lint() -> None:
    runs = [step.get("run") for step in workflow("ci")["jobs"]["fast"]["steps"]]
    assert {"make test-fast", "make lint"} <= set(runs)
    # A test that is skipped fails no run: some skip on a runner for good, where they are not root.
    (looked,) = (text for text in runs if "command -v" in str(text))
    assert {"promtool", "amtool"} == {line.split()[-1] for line in looked.splitlines()}
