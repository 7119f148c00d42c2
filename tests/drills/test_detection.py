"""Which incident is a fault's: by what is new, with the clock set back and with an alert that joins anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakeproof.drills.detection import NewIncident
from lakeproof.drills.live_world import LiveDesk

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Client:
    """The desk's answers, as over HTTP."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def incidents(self, status: str | None = None) -> list[dict[str, Any]]:
        return [row for row in self.rows.values() if status in (None, row["status"])]

    def newest(self, status: str | None = None, most: int | None = None) -> tuple[list[dict[str, Any]], int]:
        return self.incidents(status), 0

    def incident(self, name: str) -> dict[str, Any]:
        return self.rows[name]

    def change(self, name: str, act: str, **fields: Any) -> None:
        assert act == "own"
        self.rows[name]["owner"] = fields["owner"]

    def open(self, name: str, *starts: datetime, alert: str = "TooLate", status: str = "open") -> None:
        alerts = [{"name": alert, "fingerprint": "f00", "starts_at": at.isoformat()} for at in starts]
        opened_at = (starts[0] if starts else NOW).isoformat()
        self.rows[name] = {"id": name, "status": status, "opened_at": opened_at, "alerts": alerts}
        self.rows[name] |= {"owner": "", "merged_into": None, "resolved_at": datetime.now(UTC).isoformat()}


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def finder(client: Client) -> NewIncident:
    desk = LiveDesk.__new__(LiveDesk)
    desk._client = client  # type: ignore[assignment]
    return NewIncident(desk, ["TooLate"])


def test_a_clock_that_was_set_back_does_not_hide_the_incident(client: Client, finder: NewIncident) -> None:
    client.open("INC-000001", NOW, status="resolved")
    finder.remember()
    assert finder.find() is None
    client.open("INC-000002", NOW - timedelta(hours=3))
    assert finder.find() == "INC-000002"


def test_an_alert_that_joins_an_ongoing_incident_anew_is_found(client: Client, finder: NewIncident) -> None:
    client.open("INC-000001", NOW, status="acknowledged")
    finder.remember()
    assert finder.find() is None
    client.open("INC-000001", NOW, NOW + timedelta(seconds=9), status="acknowledged")
    assert finder.find() == "INC-000001"


def test_an_incident_that_closed_by_itself_at_once_is_found(client: Client, finder: NewIncident) -> None:
    finder.remember()
    client.open("INC-000001", NOW, status="resolved")
    assert finder.find() == "INC-000001"


def test_what_closed_by_itself_before_the_fault_is_the_drills_so_that_the_fault_opens_another(
    client: Client, finder: NewIncident
) -> None:
    client.open("INC-000001", NOW, status="resolved")
    client.open("INC-000002", NOW, status="resolved")
    client.rows["INC-000002"]["owner"] = "an"
    client.open("INC-000003", NOW, status="resolved")
    client.rows["INC-000003"]["resolved_at"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    client.open("INC-000004", NOW)
    finder.remember()
    assert [row["owner"] for row in client.rows.values()] == ["drill", "an", "", ""]


def test_an_incident_of_another_alert_is_not_taken(client: Client, finder: NewIncident) -> None:
    finder.remember()
    client.open("INC-000001", NOW, alert="SomethingElse")
    assert finder.find() is None
