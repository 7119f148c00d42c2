from typing import Any

from tests.incidents.conftest import Make


def test_an_alerts_link_leads_to_its_newest_incident(client: Any, alert: Make, webhook: Make) -> None:
    client.post("/api/alertmanager", json=webhook(alert("a1"))).raise_for_status()
    answer = client.get("/alerts/a1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (302, "/incidents/INC-000001")
    assert client.get("/alerts/a1").status_code == 200


def test_the_link_of_an_alert_that_nobody_knows_says_so(client: Any) -> None:
    answer = client.get("/alerts/%3Cscript%3E")
    assert answer.status_code == 404 and "no such incident" in answer.text
