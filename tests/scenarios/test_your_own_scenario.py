"""Whoever follows docs/your-own-scenario.md, from an empty folder outside the package, has a fourteenth scenario."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests import own_scenario

from lakeproof.errors import InvalidInput
from lakeproof.scenarios.catalog import load_catalog

MOST_FILES, MOST_LINES = 6, 700


def test_the_page_makes_a_scenario_of_six_files_that_passes_every_check_of_the_catalog(tmp_path: Path) -> None:
    folder = own_scenario.write_from_the_page(tmp_path)
    catalog = load_catalog((tmp_path,))
    scenario = catalog.scenario(own_scenario.NAME)
    assert catalog.truth(scenario).root_cause in {cause.id for cause in catalog.causes}
    assert scenario.runbook("vi").startswith("# Không ai") and scenario.runbook("en").startswith("# Nobody")
    lines = [len(file.read_text().splitlines()) for file in folder.iterdir()]
    assert (len(lines) <= MOST_FILES, sum(lines) <= MOST_LINES) == (True, True)


@pytest.mark.parametrize("left_out", ["scenario.yaml", "truth.yaml", "alerts.yml", "runbook.vi.md", "runbook.en.md"])
def test_each_of_them_is_needed(tmp_path: Path, left_out: str) -> None:
    (own_scenario.write_from_the_page(tmp_path) / left_out).unlink()
    with pytest.raises(InvalidInput, match=own_scenario.NAME):
        load_catalog((tmp_path,))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_its_rule_passes_its_own_test(tmp_path: Path) -> None:
    folder = own_scenario.write_from_the_page(tmp_path)
    done = subprocess.run(
        ["promtool", "test", "rules", "alerts.test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
