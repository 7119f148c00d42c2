"""Where an incident's page and the runbook lead: to use cases, to a drill's incident, to the page as it is now."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from lakeproof.deadline import Deadline
from lakeproof.incidents.shapes import Act, AnswerIn, EvidenceIn, IncidentIn, Note
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.stack.stack import Stack

REPORT = Path(__file__).parents[2] / "docs/example-report/report.json"


def test_an_incident_names_its_use_cases_in_the_readers_language_and_leads_to_them(
    client: TestClient, store: Store
) -> None:
    store.open(IncidentIn(title="x"))
    assert "none recorded" in client.get("/incidents/1").text
    store.keep_use_cases("1", ["fraud-detection", "a-strangers"])
    titles = {"en": "Fraud detection", "vi": "Phát hiện gian lận"}
    for language, title in titles.items():
        page = client.get(f"/incidents/1?lang={language}").text
        assert f'<dd><a href="/usecases/fraud-detection">{title}</a>, a-strangers</dd>' in page


def test_the_card_of_a_drill_leads_to_its_incident_and_to_no_other_of_that_id(
    client: TestClient, store: Store, stack: Stack, clock: Any
) -> None:
    report = json.loads(REPORT.read_text(encoding="utf-8"))
    folder = stack.reports_dir / "replication-lag"
    folder.mkdir(parents=True)

    def links(incident: str, path: str = "/runbook/replication-lag") -> list[str]:
        (folder / "report.json").write_text(json.dumps(report | {"incident": incident}))
        return re.findall(r'<a href="/incidents/(.*?)">', client.get(path).text)

    begun = datetime.fromisoformat(report["phases"][0]["started_at"])
    for clock.now in (begun - timedelta(hours=1), begun + timedelta(minutes=2), begun + timedelta(days=1)):
        store.open(IncidentIn(title="x"))
    assert [links(f"INC-00000{number}") for number in (1, 2, 3, 4)] == [[], ["INC-000002"], [], []]
    assert links("INC-000002", "/runbook") == ["INC-000002"]
    assert [links(name) for name in ("", "anything")] == [[], []]


CHANGES: dict[str, Callable[[Store], object]] = {
    "status": lambda store: store.move("1", Status.ACKNOWLEDGED, Act(who="an")),
    "evidence": lambda store: store.attach("1", EvidenceIn(who="an", kind="probe", title="x", body={})),
    "checklist": lambda store: store.answer("1", AnswerIn(who="an", item="health", text="all healthy")),
    "rca": lambda store: store.keep_rca("1", "# RCA", who="an"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_open_page_says_that_there_is_more_once_what_it_does_not_look_at_again_has_changed(
    client: TestClient, store: Store, change: Callable[[Store], object]
) -> None:
    def look_again(page: str) -> str:
        found = re.search(r'<div id="head" hx-get="([^"]+)"', page)
        assert found is not None
        return str(client.get(found[1]).text)

    store.open(IncidentIn(title="x"))
    # The desk looks up the moment in the background, and the page does not look at that again either.
    Deadline(60).wait_for("the moment to be looked up", lambda: not store.without_moment() or None, every=0.01)
    loaded = client.get("/incidents/1").text
    store.note("1", Note(who="an", text="the timeline shows it by itself"))
    assert "Load the page again" not in loaded + look_again(loaded)
    change(store)
    told = look_again(loaded)
    assert '<a id="load-again" href="/incidents/INC-000001">Load the page again</a>' in told
    assert "load-again" in look_again(told)
    assert "load-again" not in client.get("/incidents/1").text
