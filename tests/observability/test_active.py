from datetime import UTC, datetime
from typing import Any

from tests.conftest import Answering

from lakeproof.observability.active import read_active
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def alert(fingerprint: str, state: str) -> dict[str, Any]:
    """As Alertmanager's list tells it, of what is asked here."""
    return {"fingerprint": fingerprint, "startsAt": "2026-11-24T11:59:58.123Z", "status": {"state": state}}


def test_what_is_silenced_is_known_and_does_not_count_as_firing(answering: Answering) -> None:
    answers: dict[str, Any] = {
        "/api/v2/status": {"uptime": "2026-11-24T10:00:00.000Z"},
        "/api/v2/alerts": [alert("a1", "active"), alert("b1", "suppressed"), alert("c1", "unprocessed")],
    }
    server = answering(lambda method, path, body: (200, answers[path]))
    active = read_active(Stack(Settings.model_validate({"endpoints": {"alertmanager": {"http": server}}})))
    assert active.fingerprints == {"a1", "b1", "c1"}
    assert active.firing == {"a1": datetime(2026, 11, 24, 11, 59, 58, 123000, tzinfo=UTC)}
