"""Where an incident's page and the runbook lead: to use cases, to a drill's incident, to the page as it is now."""

from fastapi.testclient import TestClient

from lakeproof.incidents.shapes import IncidentIn
from lakeproof.incidents.store import Store


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
