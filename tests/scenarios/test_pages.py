"""The pages in docs/runbook are what the scenarios, and the prose beside them, say now."""

from pathlib import Path

import pytest

from lakeproof.incidents.checklist import ITEMS
from lakeproof.incidents.status import STEPS
from lakeproof.observability.runbook import own_runbooks
from lakeproof.observability.teams import all_teams
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.scenarios.front_page import front_page, write_front_page
from lakeproof.scenarios.pages import LANGUAGES, write_pages
from lakeproof.scenarios.scenario import Language

DOCS = Path(__file__).parents[2] / "docs" / "runbook"
CHECKLIST: list[dict[Language, str]] = [{"vi": item.vi, "en": item.en} for item in ITEMS]


def test_the_committed_pages_are_those_that_would_be_written(tmp_path: Path) -> None:
    catalog = load_catalog()
    written = write_pages(catalog.scenarios.values(), catalog.causes, tmp_path)
    written += write_front_page(catalog.scenarios.values(), CHECKLIST, tmp_path)
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_front_page_leads_to_every_page_step_team_and_item(language: Language) -> None:
    scenarios = load_catalog().scenarios
    text = front_page(scenarios.values(), CHECKLIST, language)
    names = (*scenarios, *own_runbooks())
    assert [name for name in names if f"]({name}.{language}.md)" not in text] == []
    assert [step for step in STEPS.values() if f"{step.number}. {getattr(step, language)}\n" not in text] == []
    assert [team for team in all_teams().values() if f"| {team.channel} |" not in text] == []
    assert [item for item in CHECKLIST if f"- [ ] {item[language]}\n" not in text] == []
    assert "@" not in text
