"""The pages in docs/runbook are what the scenarios, and the prose beside them, say now."""

from pathlib import Path

from lakeproof.observability.runbook import own_runbooks
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.scenarios.pages import write_pages

DOCS = Path(__file__).parents[2] / "docs" / "runbook"


def test_the_committed_pages_are_those_that_would_be_written(tmp_path: Path) -> None:
    catalog = load_catalog()
    written = write_pages(catalog.scenarios.values(), catalog.causes, tmp_path)
    assert {path.name for path in written} == {path.name for path in DOCS.glob("*.md")}
    for path in written:
        assert (DOCS / path.name).read_text() == path.read_text(), f"run: lakeproof runbook write ({path.name})"


def test_a_page_names_every_cause_and_alert_of_its_scenario(tmp_path: Path) -> None:
    catalog = load_catalog()
    for path in write_pages(catalog.scenarios.values(), catalog.causes, tmp_path):
        name = path.name.split(".")[0]
        if name in own_runbooks():
            continue
        scenario = catalog.scenarios[name]
        text = path.read_text()
        assert all(alert in text for alert in scenario.alerts)
        assert all(cause.id in text for cause in catalog.causes if cause.scenario == scenario.id)
