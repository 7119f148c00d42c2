import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError
from tests.incidents.conftest import Make, Receive

from lakeproof.deadline import Deadline
from lakeproof.incidents.api import WEBHOOKS_AT_ONCE
from lakeproof.incidents.intake import Received
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification

WEBHOOK = "/api/alertmanager"


def wait_for_moment(client: TestClient) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        incident = dict(client.get("/api/incidents/1").json())
        return incident if incident["moment"] is not None else None

    return Deadline(60).wait_for("the moment to be looked up", look, every=0.01)


def test_a_webhook_opens_an_incident_and_its_moment_is_looked_up(
    client: TestClient, alert: Make, webhook: Make
) -> None:
    assert client.post(WEBHOOK, json=webhook(alert())).json()["incidents"] == ["INC-000001"]
    incident = wait_for_moment(client)
    assert incident["moment"]["published"]["value"] == "ab12cd"
    assert incident["moment"]["violation"]["query"] == "lag_millis > 30000"
    assert incident["moment"]["checkpoint"]["error"] == "refused"
    assert incident["value"] == 45000.0


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"\xff\xfe", "body"),
        (b'{"version": "3", "status": "firing", "alerts": []}', "body.version"),
        (b'{"version": "4", "status": "burning", "alerts": []}', "body.status"),
        (b'{"version": "4", "status": "firing"}', "body.alerts"),
        (b'{"version": "4", "status": "firing", "alerts": [{"status": "firing"}]}', "body.alerts.0.labels"),
    ],
)
def test_rubbish_is_refused_with_what_is_wrong(client: TestClient, body: bytes, where: str) -> None:
    answer = client.post(WEBHOOK, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["details"][0]["where"].startswith(where)
    assert client.get("/api/incidents").json() == []


def test_while_a_storm_is_taken_in_the_desk_answers_everybody_else(
    client: TestClient, store: Store, alert: Make, webhook: Make, receive: Receive, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, receive = threading.Semaphore(0), threading.Event(), store.receive

    def slow(notification: Notification) -> Received:
        begun.release()
        go_on.wait(30)
        return receive(notification)

    monkeypatch.setattr(store, "receive", slow)
    with ThreadPoolExecutor(61) as pool:
        try:
            storm = [
                pool.submit(client.post, WEBHOOK, json=webhook(alert(f"{number:04x}", alertname=f"Storm{number}")))
                for number in range(60)
            ]
            for _ in range(WEBHOOKS_AT_ONCE):
                assert begun.acquire(timeout=10)
            assert pool.submit(client.get, "/health").result(timeout=10).status_code == 200
            assert pool.submit(client.get, "/api/incidents").result(timeout=10).json() == []
        finally:
            go_on.set()
        assert {one.result(timeout=30).status_code for one in storm} == {200}
    incidents = [client.get(f"/api/incidents/{row.id}").json() for row in store.newest_first()]
    kept = [each["name"] for incident in incidents for each in incident["alerts"]]
    assert sorted(kept) == sorted(f"Storm{number}" for number in range(60))


def test_one_bad_alert_among_good_ones_keeps_none(client: TestClient, alert: Make, webhook: Make) -> None:
    answer = client.post(WEBHOOK, json=webhook(alert(), alert() | {"fingerprint": "'; DROP TABLE"}))
    assert (answer.status_code, answer.json()["details"][0]["where"]) == (422, "body.alerts.1.fingerprint")
    assert client.get("/api/incidents").json() == []


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", "Basic a-token", "Bearer a-tokenn"])
def test_no_change_without_the_token(client: TestClient, given: str) -> None:
    for path in (WEBHOOK, "/api/incidents", "/api/incidents/1/ack", "/nowhere"):
        answer = client.post(path, json={}, headers={"Authorization": given})
        assert answer.status_code == 401


def test_reading_needs_no_token(client: TestClient) -> None:
    del client.headers["Authorization"]
    for path in ("/incidents", "/api/incidents", "/health", "/metrics"):
        assert client.get(path).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "", "localhost.:8000", "[::1"])
def test_another_host_is_not_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/incidents", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_loopback_is_answered_by_each_of_its_names(client: TestClient, host: str) -> None:
    assert client.get("/api/incidents", headers={"Host": host}).status_code == 200


def test_a_body_that_is_too_big_is_refused_by_its_declared_length(client: TestClient) -> None:
    answer = client.post("/api/incidents", content=b" " * (2 * 1_048_576 + 1))
    assert answer.status_code == 413


def test_a_body_that_is_too_big_is_refused_without_a_declared_length(client: TestClient) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(3):
            yield b" " * 1_048_576

    assert client.post("/api/incidents", content=parts()).status_code == 413


def test_evidence_above_a_mebibyte_is_refused(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    answer = client.post("/api/incidents/1/evidence", json={"title": "big", "body": "x" * 1_048_576})
    assert answer.status_code == 422
    assert "at most 1048576" in answer.json()["error"]


NESTED = {depth: "[" * depth + "1" + "]" * depth for depth in (64, 65, 260)}


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("evidence", '{"title": "t", "body": {"name": "\\udc80"}}', "body.body"),
        ("evidence", '{"title": "t", "body": {"\\udc80": 1}}', "body.body"),
        ("evidence", '{"title": "t", "body": ' + NESTED[65] + "}", "body.body"),
        ("evidence", '{"title": "t", "body": ' + NESTED[260] + "}", "body.body"),
        ("ack", '{"text": "\\udc80"}', "body.text"),
    ],
)
def test_what_could_not_be_shown_again_is_refused_and_nothing_of_it_is_kept(
    client: TestClient, path: str, body: str, where: str
) -> None:
    client.post("/api/incidents", json={"title": "x"})
    deepest = '{"title": "t", "body": ' + NESTED[64] + "}"
    headers = {"Content-Type": "application/json"}
    assert client.post("/api/incidents/1/evidence", content=deepest, headers=headers).status_code == 200
    answer = client.post(f"/api/incidents/1/{path}", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["details"][0]["where"].startswith(where)
    incident = client.get("/api/incidents/1").json()
    assert (incident["status"], len(incident["evidence"])) == ("open", 1)
    assert client.get("/incidents/1").status_code == 200


def test_what_a_probe_read_that_is_no_text_is_kept_as_words(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    reading = '{"value": "a \\udc80", "at": "2026-11-24T12:00:00Z", "source": "s", "query": "q"}'
    body, headers = f'{{"readings": [{reading}]}}', {"Content-Type": "application/json"}
    incident = client.post("/api/incidents/1/ack", content=body, headers=headers).json()
    assert incident["timeline"][-1]["readings"][0]["value"] == "a \\udc80"


def test_a_label_that_could_not_be_shown_again_is_refused(client: TestClient, alert: Make, webhook: Make) -> None:
    for field in ("labels", "annotations"):
        data = json.dumps(webhook(alert() | {field: {"\udc80": "x"}}))
        answer = client.post(WEBHOOK, content=data, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
    assert client.get("/api/incidents").json() == []


def test_an_unknown_incident_is_404_and_a_wrong_move_409(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    assert client.get("/api/incidents/INC-000007").status_code == 404
    answer = client.post("/api/incidents/1/review")
    assert (answer.status_code, answer.json()["next"]) == (409, "possible: acknowledged, mitigating, resolved")


@pytest.mark.parametrize(
    ("said", "status"),
    [("database or disk is full", 507), ("attempt to write a readonly database", 507), ("database is locked", 503)],
)
def test_what_could_not_be_written_is_said_so_that_alertmanager_sends_it_again(
    client: TestClient,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    alert: Make,
    webhook: Make,
    said: str,
    status: int,
) -> None:
    def fail(notification: object) -> None:
        raise OperationalError("INSERT", {}, Exception(said))

    monkeypatch.setattr(store, "receive", fail)
    answer = client.post(WEBHOOK, json=webhook(alert()))
    assert (answer.status_code, answer.json()["error"]) == (status, f"nothing was written: {said}")


@pytest.fixture
def full_disk(engine: Engine) -> threading.Event:
    """While it is set, the database cannot grow. Ask for it before `client`, whose thread must not run yet:

    a listener that is added while another thread goes through the listeners ends that thread.
    """
    full = threading.Event()

    @event.listens_for(engine, "begin")
    def bound(connection: Connection) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages if full.is_set() else 1_000_000}")

    return full


@pytest.mark.skipif("DESK_TEST_URL" in os.environ, reason="fills SQLite's file")
def test_a_full_disk_is_507_and_nothing_of_the_webhook_is_kept(
    full_disk: threading.Event, client: TestClient, alert: Make, webhook: Make
) -> None:
    client.post("/api/incidents", json={"title": "before"})
    full_disk.set()
    many = webhook(*(alert(f"{number:x}", scenario="none", component=f"c{number}") for number in range(200)))
    answer = client.post(WEBHOOK, json=many)
    assert (answer.status_code, answer.json()["next"]) == (507, "make room on the desk's disk and send it again")
    assert [one["title"] for one in client.get("/api/incidents").json()] == ["before"]
    full_disk.clear()
    assert client.post(WEBHOOK, json=many).json()["opened"] == 200


def test_pages_show_hostile_text_as_text(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "<script>alert(1)</script>"})
    for path in ("/incidents", "/incidents/INC-000001"):
        page = client.get(path)
        assert "&lt;script&gt;alert(1)" in page.text
        assert "<script>" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_runbook_is_shown_and_a_path_is_no_name(client: TestClient) -> None:
    assert "lakeproof ps" in client.get("/runbook/service-unavailable?lang=vi").text
    for name in ("nothing", "..%2F..%2F..%2Fetc%2Fpasswd", "service-unavailable.vi"):
        assert client.get(f"/runbook/{name}").status_code == 404


def test_an_rca_and_a_runbook_are_pages_and_no_markdown(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    client.post("/api/incidents/1/rca", json={"root_cause": "paused_connector"})
    page = client.get("/incidents/1").text
    assert "<h2>What happened</h2>" in page
    assert '<sup class="footnote-ref">' in page
    assert "## " not in page
    assert "<h1>" in client.get("/runbook/replication-lag").text
    assert "## " not in client.get("/runbook/replication-lag").text


def test_every_runbook_is_listed_with_its_title(client: TestClient) -> None:
    listed = client.get("/runbook").text
    for name in ("replication-lag", "ttl-oversell", "service-unavailable"):
        assert f'href="/runbook/{name}"' in listed
        assert client.get(f"/runbook/{name}").status_code == 200
        assert client.get(f"/runbook/{name}?lang=vi").status_code == 200


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[press](javascript:alert(1))",
        "![x](data:text/html;base64,PHNjcmlwdD4=)",
        "[^1]: <iframe src=//example.com>",
    ],
)
def test_an_rca_that_people_bring_runs_nothing(client: TestClient, hostile: str) -> None:
    client.post("/api/incidents", json={"title": "x"})
    client.post("/api/incidents/1/rca", json={"markdown": f"# Mine\n\n{hostile}\n\nsee[^1]"})
    page = client.get("/incidents/1").text
    assert "<h1>Mine</h1>" in page
    for alive in ("<script>", "<img src=x", "<iframe", 'href="javascript', 'src="data:text'):
        assert alive not in page


def test_evidence_is_shown_by_what_it_says(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    seen = {"probe": "oltp-connector-state", "value": "PAUSED", "expected": "== RUNNING", "source": "connect"}
    body = {"causes": [{"cause": "paused_connector", "for": [seen], "against": []}], "unknown": []}
    client.post("/api/incidents/1/evidence", json={"kind": "diagnosis", "title": "diagnosis", "body": body})
    claims = {"no_order_lost": "failed: lost 3"}
    client.post("/api/incidents/1/evidence", json={"kind": "verification", "title": "verified", "body": claims})
    client.post("/api/incidents/1/evidence", json={"title": "notes", "body": {"seen": ["a <b>", {"deep": 7}]}})
    page = client.get("/incidents/1").text
    assert "paused_connector: what speaks for it" in page
    assert '<td class="failed">failed</td><td>lost 3</td>' in page
    assert "a &lt;b&gt;" in page
    assert "{&#34;" not in page
    assert '{"' not in page


def test_the_rca_is_drafted_kept_and_read_back(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    drafted = client.post("/api/incidents/1/rca", json={"root_cause": "paused_connector"}).json()["markdown"]
    assert "paused_connector" in drafted
    assert client.get("/api/incidents/1/rca").text == drafted
    client.post("/api/incidents/1/rca", json={"markdown": "my own"})
    assert client.get("/api/incidents/1/rca").text == "my own"


def test_metrics_count_incidents_by_status(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    assert 'lakeproof_incidents{status="open"} 1.0' in client.get("/metrics").text
