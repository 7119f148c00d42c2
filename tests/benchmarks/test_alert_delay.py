"""How late an alert was is counted from the end of its own window, whichever rule and timing that was of."""

from datetime import UTC, datetime
from typing import Any

import pytest

from benchmarks import alert_delay
from benchmarks.benchmark import Options
from lakeproof.stack.stack import Stack


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(1_800_000_000 + seconds, UTC)


@pytest.mark.parametrize(
    ("fired", "received", "beyond"),
    [(5.9, 6.0, 1.0), (60.4, 61.5, 1.5), (4.8, 5.4, 0.4), (30, 31, 26.0), (3, 4, None)],
    ids=["drill", "production", "rounded", "late", "no such window"],
)
def test_lateness_begins_where_the_window_ends(fired: float, received: float, beyond: float | None) -> None:
    assert alert_delay.beyond_window(at(0).timestamp(), at(fired), at(received), {5.0, 60.0}) == beyond


def desk_holds(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    fired, received = at(6).isoformat(), at(8.5).isoformat()
    labels = [{"alertname": name, "component": "connect", "severity": "high"} for name in names]
    alerts = [
        {"name": one["alertname"], "labels": one, "starts_at": fired, "received_at": received} for one in labels
    ]

    def answer(url: str, _: float) -> Any:
        return [{"id": "INC-000001"}] if "most=" in url else {"alerts": alerts}

    monkeypatch.setattr(alert_delay, "get_json", answer)
    began = at(0).timestamp()
    series = [({"__name__": "ALERTS_FOR_STATE", "component": "mysql"}, began - 99), ({"component": "connect"}, began)]
    monkeypatch.setattr(alert_delay, "instant", lambda *_, at: series)


def test_every_alert_of_the_desk_is_judged_by_its_own_series(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    desk_holds(monkeypatch, "KafkaConnectTaskFailed", "OfNoRule")
    found = alert_delay.run(stack, Options(), lambda _: None)
    assert [(row["alert"], row["beyond_its_window_s"]) for row in found.tables["by alert"]] == [
        ("KafkaConnectTaskFailed", 3.5)
    ]
    assert not found.ratios[0].met and "1 alerts left out" in found.notes[1]


def test_without_an_alert_nothing_is_known(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    desk_holds(monkeypatch)
    assert alert_delay.run(stack, Options(), lambda _: None).unknown
