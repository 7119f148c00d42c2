"""What `lakeproof render` prints is what another server can load."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import Typed

from lakeproof.observability.rules import find_rules
from lakeproof.yaml_file import load_yaml


def test_the_rules_are_one_document_that_has_every_alert(typed: Typed) -> None:
    groups = load_yaml(typed("render", "prometheus", "--rules"))["groups"]
    printed = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    assert sorted(printed) == sorted(rule.alert for file in find_rules() for rule in file.alerts)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize("timing", ["production", "drill"])
def test_prometheus_can_load_the_rules_as_they_are_printed(typed: Typed, tmp_path: Path, timing: str) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(typed("render", "prometheus", "--rules", "--timing", timing))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
