"""Where an incident's page and the runbook lead: to use cases, to a drill's incident, to the page as it is now."""

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from lakeproof.incidents.shapes import IncidentIn
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
