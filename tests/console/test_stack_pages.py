from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.console.conftest import START, Seen, row

from lakeproof.console.look import Firing, Look
from lakeproof.processes import logfile
from lakeproof.processes.states import Health, State
from lakeproof.stack.components import all_components

FIRING = Firing(
    "CdcReplicationLagHigh",
    "firing",
    "high",
    "connect",
    "/runbook/replication-lag",
    START,
    {"en": "45 s behind <b>", "vi": "trễ 45 s"},
)


def test_every_component_leads_to_its_page(client: TestClient, seen: Seen) -> None:
    seen.look = Look(START, {name: row(name) for name in all_components()})
    page = client.get("/").text
    for name, one in all_components().items():
        if one.replica_of is None:
            assert f'href="/components/{name}"' in page, name
        assert client.get(f"/components/{name}").status_code == 200


def test_the_graph_tells_states_figures_and_alerts_in_both_languages(client: TestClient, seen: Seen) -> None:
    parts = {"redis": row("redis", health=Health.UNHEALTHY, reason="no answer"), "kafka": row("kafka")}
    seen.look = Look(START, parts, {"main_oltp": 3.4}, (FIRING,))
    page = client.get("/").text
    assert '(redis: unhealthy)"' in page and 'class="box unhealthy"' in page
    assert "50 MiB · 2 %" in page and "3.4 s" in page
    assert "45 s behind &lt;b&gt;" in page and 'href="/runbook/replication-lag"' in page
    page = client.get("/live/stack?lang=vi").text
    assert "không khỏe" in page and "trễ 45 s" in page and "<html" not in page


def test_what_could_not_be_looked_at_is_said(client: TestClient, seen: Seen) -> None:
    seen.look = Look(START, {}, unseen=("stack x: its supervisor is dead",))
    page = client.get("/").text
    assert "its supervisor is dead" in page and "Nothing runs" not in page


@pytest.mark.parametrize(
    ("unseen", "told"), [("…", "It was not looked at yet."), ("its supervisor is dead", "is dead")]
)
def test_a_component_that_could_not_be_looked_at_is_not_called_not_started(
    client: TestClient, seen: Seen, unseen: str, told: str
) -> None:
    seen.look = Look(START, {}, unseen=(unseen,))
    page = client.get("/components/kafka").text
    assert told in page and "not started" not in page and "lakeproof up kafka" not in page
    page = client.get("/").text
    assert "not started" not in page and "None." not in page


@pytest.mark.parametrize(
    ("alerts", "told", "shown"), [(None, "Not known.", 'warn">?'), ((), "None fires.", 'good">0')]
)
def test_that_no_alert_fires_is_said_only_where_a_prometheus_said_so(
    client: TestClient, seen: Seen, alerts: tuple[Firing, ...] | None, told: str, shown: str
) -> None:
    seen.look = Look(START, {"kafka": row("kafka")}, alerts=alerts)
    assert f'Alerts firing: <b class="{shown}</b>' in client.get("/").text
    assert told in client.get("/components/kafka").text


def test_what_cannot_be_asked_is_unknown_and_counts_neither_as_healthy_nor_as_ill(
    client: TestClient, seen: Seen
) -> None:
    closed = row("redis", health=Health.UNKNOWN, reason="redis: no such secret")
    seen.look = Look(START, {"redis": closed, "kafka": row("kafka")})
    assert '<b class="good">1 / 1</b>' in client.get("/").text
    page = client.get("/components/redis").text
    assert 'class="badge unknown"' in page and "no such secret" in page


def test_the_number_of_ongoing_incidents_is_the_desks(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    client.post("/api/incidents", json={"title": "y"})
    client.post("/api/incidents/2/ack", json={})
    client.post("/api/incidents/2/resolve", json={})
    assert 'Ongoing incidents: <b class="warn">1</b>' in client.get("/").text


def test_a_component_tells_its_process_alerts_log_and_runbook(
    signed_in: TestClient, seen: Seen, tmp_path: Path
) -> None:
    log = tmp_path / "connect.log"
    log.write_text("oldest line\n<script>alert(1)</script>\n" + "x" * 300_000 + "\nlast line\n")
    seen.look = Look(START, {"connect": row("connect", restarts=3, log=str(log))}, {}, (FIRING,))
    page = signed_in.get("/components/connect").text
    for text in (
        "4711",
        "50 MiB",
        "127.0.0.1:8001",
        "last line",
        "45 s behind &lt;b&gt;",
        "/runbook/replication-lag",
    ):
        assert text in page
    assert "oldest line" not in page


def test_a_log_that_was_rotated_a_moment_ago_still_shows_its_last_lines(
    signed_in: TestClient, seen: Seen, tmp_path: Path
) -> None:
    log = tmp_path / "connect.log"
    log.write_text("".join(f"line {number:04d}\n" for number in range(2000)))
    assert logfile.rotate(log, limit_bytes=4096)
    log.write_text("")
    with log.open("a") as writer:
        writer.write("line 2000\n")
    seen.look = Look(START, {"connect": row("connect", log=str(log))})
    page = signed_in.get("/components/connect").text
    assert "line 2000" in page and page.count("line 0") + page.count("line 1") == 59


def test_a_log_is_dead_text(signed_in: TestClient, seen: Seen, tmp_path: Path) -> None:
    log = tmp_path / "connect.log"
    log.write_bytes(b"<script>alert(1)</script>\xff\x00\n")
    seen.look = Look(START, {"connect": row("connect", log=str(log))})
    assert "<script>alert" not in signed_in.get("/components/connect").text


def test_lines_of_a_log_are_shown_to_nobody_who_is_not_signed_in(
    client: TestClient, seen: Seen, tmp_path: Path
) -> None:
    log = tmp_path / "connect.log"
    log.write_text("a customer's address\n")
    seen.look = Look(START, {"connect": row("connect", log=str(log))})
    for path in ("/components/connect", "/live/components/connect"):
        page = client.get(path).text
        assert "customer" not in page and "Sign in to see its log." in page, path


@pytest.mark.parametrize("name", ["nothing", "..%2F..%2Fetc%2Fpasswd", "<script>", "kafka.log", "kafka%00"])
def test_another_name_is_404_and_no_path(client: TestClient, name: str) -> None:
    for path in ("/components/", "/live/components/"):
        answer = client.get(f"{path}{name}")
        assert answer.status_code == 404
        assert "<script>" not in answer.text and "root:" not in answer.text


def test_a_paused_process_and_a_further_one_are_shown(client: TestClient, seen: Seen) -> None:
    paused = replace(row("connect-2"), state=State.PAUSED)
    seen.look = Look(START, {"connect": row("connect"), "connect-2": paused})
    page = client.get("/").text
    assert "Debezium ×2" in page and '(connect: paused)"' in page
    assert 'href="/components/connect-2"' in page
