"""What a person does on the pages: the same as the API, with the name that they signed in with."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.incidents.conftest import Make, Receive
from tests.incidents.kept_jobs import STEP, keep_job

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.incidents.acts import proposed_commands
from lakeproof.incidents.drill_cards import DrillCards, link_report
from lakeproof.incidents.jobs import Jobs
from lakeproof.incidents.runbook_review import review_of
from lakeproof.incidents.session import Sessions
from lakeproof.processes import procfs
from lakeproof.scenarios.catalog import load_catalog
from lakeproof.stack.stack import Stack

REPORT = Path(__file__).parents[2] / "docs/example-report/report.json"
TOKEN = "a-token"


class Person:
    """A signed-in browser: it takes each form's token from the page, as a browser does."""

    def __init__(self, client: TestClient, stack: Stack) -> None:
        self.sessions = Sessions(TOKEN, stack.name)
        cookie = self.sessions.start("an")
        session = self.sessions.read(cookie)
        assert session is not None
        self.session, self.client = session, client
        del client.headers["Authorization"]
        client.cookies.set(self.sessions.cookie, cookie)

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200
        return str(answer.text)

    def press(self, path: str, **fields: str) -> Any:
        token = self.sessions.form_token(self.session, path)
        return self.client.post(path, data={"csrf": token, **fields})


@pytest.fixture
def person(client: TestClient, stack: Stack) -> Person:
    client.post("/api/incidents", json={"title": "prices are old", "team": "kafka"})
    return Person(client, stack)


def choices(page: str) -> list[str]:
    """Where its choices of language and colours lead."""
    return re.findall(r'href="([^"]*\b(?:lang|theme)=[^"]*)"', page)


def test_the_choices_of_a_refused_forms_page_lead_to_a_page(person: Person) -> None:
    person.client.headers["Accept"] = "text/html"
    refused = [
        person.press("/incidents/INC-000001/review"),
        person.press("/runbook/trino-backlog/drill"),
        person.client.post("/signin", data={"token": "wrong", "next": "/runbook/trino-backlog"}),
    ]
    for answer in refused:
        found = [html.unescape(one) for one in choices(answer.text)]
        assert answer.status_code >= 400 and len(found) >= 5
        assert {person.client.get(str(answer.url.join(one))).status_code for one in found} == {200}, found
    assert "/signin?next=%2Frunbook%2Ftrino-backlog&lang=vi" in found
    without_its_token = person.client.post("/incidents/INC-000001/ack", data={"csrf": "wrong"})
    assert without_its_token.status_code == 403 and choices(without_its_token.text)[0] == "/?lang=vi"


def test_a_person_leads_an_incident_through_the_five_steps_on_its_page(person: Person) -> None:
    here = "/incidents/INC-000001"
    for deed in ("ack", "mitigate", "verify"):
        assert f'action="{here}/{deed}"' in person.page(here)
        assert person.press(f"{here}/{deed}").status_code == 200
    person.press(f"{here}/resolve", text="the cache was emptied")
    assert person.press(f"{here}/review").status_code == 409
    person.press(f"{here}/lesson", text="an alert on the age of prices")
    for item in (
        "alerts_cleared",
        "checkpoint",
        "cross_check",
        "ticket_resolved",
        "rca_kept",
        "stakeholders_told",
        "health",
    ):
        person.press(f"{here}/checklist", item=item, state="waived", text="opened by hand")
    assert person.press(f"{here}/review").status_code == 200
    found = person.client.get("/api/incidents/1").json()
    assert (found["status"], found["owner"], found["lesson_by"]) == ("reviewed", "an", "an")
    assert {entry["who"] for entry in found["timeline"][2:]} <= {"an", "desk"}


def test_the_page_takes_the_reason_why_an_incident_is_verified_while_its_alert_fires(
    person: Person, alert: Make, receive: Receive
) -> None:
    receive(alert())
    here = "/incidents/INC-000002"
    person.press(f"{here}/mitigate")
    assert "Reason, while an alert fires" in person.page(here)
    refused = person.press(f"{here}/verify", text="")
    assert refused.status_code == 409 and "CdcReplicationLagHigh still fires" in refused.text
    assert "verifying: it lags by design" in person.press(f"{here}/verify", text="it lags by design").text


def test_what_is_refused_is_said_on_the_page(person: Person) -> None:
    answer = person.press("/incidents/INC-000001/review")
    assert answer.status_code == 409
    assert "open cannot become reviewed" in answer.text
    answer = person.press("/incidents/INC-000001/lesson", text="short")
    assert (answer.status_code, "at least 10 characters" in answer.text) == (422, True)
    assert person.press("/incidents/INC-000001/nonsense").status_code == 404
    assert "no such page or form. see /runbook/" in person.press("/runbook/trino-backlog/nonsense").text
    person.client.cookies.set("lang", "vi")
    answer = person.press("/incidents/INC-000001/review")
    assert "Lý do, bằng tiếng Anh:" in answer.text and '<span lang="en">' in answer.text


def test_without_a_session_a_page_has_no_form_that_changes_anything(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    for path in ("/incidents/1", "/oncall", "/runbook/replication-lag"):
        page = client.get(path).text
        assert "<form" not in page
        assert "/signin?next=" in page


def test_a_scenario_is_a_link_only_where_it_has_a_page(client: TestClient) -> None:
    for scenario in ("replication-lag", "nobody's ?a=b#c/../../signout", "none"):
        client.post("/api/incidents", json={"title": "x", "scenario": scenario})
    assert 'href="/runbook/replication-lag">replication-lag</a>' in client.get("/incidents/1").text
    for number in (2, 3):
        assert 'href="/runbook/' not in client.get(f"/incidents/{number}").text
    assert "signout</dd>" in client.get("/incidents/2").text


def test_a_page_says_its_steps_in_the_runbooks_words(client: TestClient) -> None:
    client.post("/api/incidents", json={"title": "x"})
    page = client.get("/incidents/1?lang=vi").text
    for word in ("1. Phát hiện", "5. Hậu kiểm", "Checkpoint/Savepoint cập nhật.", "Ticket ITSM chuyển trạng thái"):
        assert word in page


def test_on_call_shows_what_waits_with_its_clock(client: TestClient, clock: Any) -> None:
    client.post("/api/incidents", json={"title": "prices are old", "team": "kafka"})
    page = client.get("/oncall").text
    assert "prices are old" in page
    assert "minutes overdue" in page or "minutes left" in page
    assert "Kafka SME" in client.get("/oncall?lang=vi").text


def test_a_runbook_page_shows_the_last_drill_and_the_scenarios_lessons(client: TestClient, stack: Stack) -> None:
    folder = stack.reports_dir / "replication-lag-20261125"
    folder.mkdir(parents=True)
    folder.joinpath("report.json").write_bytes(REPORT.read_bytes())
    client.post("/api/incidents", json={"title": "x", "scenario": "replication-lag"})
    client.post("/api/incidents/1/lesson", json={"text": "an alert on the paused state", "who": "an"})
    page = client.get("/runbook/replication-lag").text
    recorded = json.loads(REPORT.read_text(encoding="utf-8"))
    detect = f"{recorded['alerts'][0]['fired_after_seconds']:.1f} s"
    diagnose = next(f"{one['seconds']:.1f} s" for one in recorded["phases"] if one["name"] == "diagnose")
    orders, lesson = f"{recorded['data']['acknowledged']:,}", "an alert on the paused state"
    for said in (detect, diagnose, "paused_connector", orders, lesson, "INC-000001"):
        assert said in page
    runbook = client.get("/runbook").text
    assert detect in runbook
    assert runbook.count("Never drilled here") == len(load_catalog().scenarios) - 1
    assert "Never drilled here" in client.get("/runbook/trino-backlog").text


def test_a_card_is_read_anew_when_its_report_changes_and_rubbish_is_no_card(tmp_path: Path) -> None:
    cards = DrillCards(tmp_path)
    assert cards.all() == []
    report = json.loads(REPORT.read_text())
    for name, text in {"a": json.dumps(report), "b": "{", "c": '{"drills": []}', "d": "[]"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(text)
    (card,) = cards.all()
    assert (card.verdict, round(card.detect or 0)) == ("passed", 41)
    (tmp_path / "a" / "report.json").write_text(json.dumps(report | {"verdict": "failed", "scenario": "x:y+z"}))
    assert {name: one.verdict for name, one in cards.newest().items()} == {"x": "failed", "z": "failed"}
    # A wrong fix must fail: such a drill is no news of the runbook's repair.
    (tmp_path / "a" / "report.json").write_text(json.dumps(report | {"verdict": "failed", "fix": ["silence_alert"]}))
    assert (len(cards.all()), cards.newest()) == (1, {})


@pytest.mark.parametrize("data", [None, [], "lost"])
def test_a_report_whose_data_are_no_counts_is_no_card(tmp_path: Path, data: object) -> None:
    (tmp_path / "report.json").write_text(json.dumps(json.loads(REPORT.read_text()) | {"data": data}))
    assert DrillCards(tmp_path).all() == []


def test_a_report_that_is_deleted_while_reports_are_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, gone = tmp_path / "report.json", tmp_path / "gone" / "report.json"
    kept.write_bytes(REPORT.read_bytes())
    monkeypatch.setattr(Path, "rglob", lambda *_: iter((gone, kept)))
    assert len(DrillCards(tmp_path).all()) == 1


def test_a_drill_whose_report_was_wanted_elsewhere_has_its_card_too(tmp_path: Path) -> None:
    reports, elsewhere = tmp_path / "state" / "reports", tmp_path / "elsewhere"
    cards = DrillCards(reports)
    elsewhere.mkdir()
    for folder in (tmp_path / "gone", elsewhere, elsewhere, reports / "own"):
        link_report(reports, folder)
    assert (cards.all(), [link.resolve() for link in reports.iterdir()]) == ([], [elsewhere])
    for folder in (elsewhere, elsewhere / "trino-backlog", elsewhere / "a" / "b", reports / "own"):
        folder.mkdir(parents=True, exist_ok=True)
        report = json.loads(REPORT.read_text()) | {"scenario": folder.name}
        (folder / "report.json").write_text(json.dumps(report))
    assert sorted(card.name for card in cards.all()) == ["elsewhere", "own", "trino-backlog"]


def test_the_review_names_what_is_due_never_drilled_and_never_fired(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(REPORT.read_bytes())
    history = {
        "alerts": {
            "TrinoQueuedQueriesHigh": "2026-01-01T00:00:00+00:00",
            "ServiceUnavailable": "2026-11-20T00:00:00+00:00",
        },
        "incidents": {"trino-backlog": "2026-11-20T00:00:00+00:00"},
        "reviews": [
            {"page": "replication-lag", "who": "an", "at": "2026-10-02T00:00:00+00:00", "text": ""},
            {"page": "trino-backlog", "who": "an", "at": "2026-11-02T00:00:00+00:00", "text": ""},
            {"page": "service-unavailable", "who": "an", "at": "2026-11-01T00:00:00+00:00", "text": ""},
            {"page": "schema-drift", "who": "an", "at": "2026-09-30T00:00:00+00:00", "text": ""},
        ],
    }
    found = review_of(
        ["replication-lag", "trino-backlog", "schema-drift", "ttl-oversell"],
        ["CdcReplicationLagHigh", "TrinoQueuedQueriesHigh", "SchemaDriftDetected"],
        DrillCards(tmp_path).all(),
        history,
        datetime(2026, 11, 26, tzinfo=UTC),
        {"service-unavailable": ["ServiceUnavailable"], "alert-delivery": ["AlertDeliveryFailing"]},
    )
    assert {page.page: page.why for page in found.pages} == {
        "replication-lag": "",
        "trino-backlog": "not reviewed since its last major incident",
        "schema-drift": "not reviewed in this quarter",
        "ttl-oversell": "not reviewed in this quarter",
        "service-unavailable": "not reviewed since its last major incident",
        "alert-delivery": "not reviewed in this quarter",
    }
    assert {page.drilled for page in found.pages if page.page in ("service-unavailable", "alert-delivery")} == {"-"}
    assert found.quarter == "2026 Q4"
    assert found.never_drilled == ("trino-backlog", "schema-drift", "ttl-oversell")
    assert found.never_fired == ("SchemaDriftDetected",)


def ended(jobs: Jobs, kind: str) -> Any:
    def look() -> Any:
        job = jobs.newest(kind)
        return job if job is not None and not job.running else None

    return Deadline(120).wait_for("the job", look, every=0.1)


def test_a_job_runs_commands_one_after_another_and_outlives_whoever_started_it(stack: Stack) -> None:
    Jobs(stack).start("look", "INC-000001", [("env", "--help"), ("no-such-command",), ("env",)], who="an")
    job = ended(Jobs(stack), "look")
    assert (job.code, job.about, job.who) == (2, "INC-000001", "an")
    assert any("no-such-command" in line for line in job.lines())
    assert not (job.folder / "2.json").exists()


def test_one_job_of_a_kind_runs_at_a_time(stack: Stack) -> None:
    folder = keep_job(stack, "drill", "trino-backlog")  # its process is this test: it runs until the test says so
    jobs = Jobs(stack)
    with pytest.raises(InvalidInput, match="trino-backlog is running already, started by an"):
        jobs.start("drill", "schema-drift", [("env", "--help")], who="binh")
    (folder / "end.json").write_text('{"code": 0}')
    jobs.start("drill", "schema-drift", [("env", "--help")], who="binh")
    assert ended(jobs, "drill").about == "schema-drift"


def test_a_job_that_was_killed_is_said_to_be_lost(stack: Stack) -> None:
    folder = stack.state_dir / "jobs" / "drill-20260101-000000-000000"
    folder.mkdir(parents=True)
    facts = {"kind": "drill", "about": "x", "who": "an", "at": "2026-01-01T00:00:00+00:00", "commands": [["drill"]]}
    (folder / "job.json").write_text(json.dumps(facts | {"process": {"pid": 1, "start_ticks": -1}}))
    job = Jobs(stack).newest("drill")
    assert job is not None
    assert (job.running, job.lost) == (False, True)


def test_a_job_that_ends_while_it_is_looked_at_is_not_lost(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = keep_job(stack, "drill", "trino-backlog")

    def ended_just_now(process: procfs.ProcessId) -> bool:
        (folder / "end.json").write_text('{"code": 0}')
        return False

    monkeypatch.setattr(procfs, "is_alive", ended_just_now)
    job = Jobs(stack).newest("drill")
    assert job is not None
    assert (job.code, job.lost) == (0, False)


def test_what_is_run_is_what_was_shown(stack: Stack) -> None:
    jobs = Jobs(stack)
    job = jobs.start("propose", "INC-000001", [("env", "--help")], who="an")
    ended(jobs, "propose")
    steps = [{"action": "resume_connector", "arguments": {"connector": "orders; rm -rf /"}}]
    (job.folder / "0.json").write_text(json.dumps(steps))
    assert proposed_commands(jobs, "INC-000001", job.id)[1] == [
        (
            *("mitigate", "INC-000001", "--action", "resume_connector"),
            *("--arg", "connector=orders; rm -rf /", "--yes", "--json"),
        )
    ]
    with pytest.raises(InvalidInput, match="not the newest one"):
        proposed_commands(jobs, "INC-000001", "propose-another")


def keep_proposal(stack: Stack, age: timedelta) -> str:
    """A proposal that ended well; gives its id."""
    folder = keep_job(stack, "propose", "INC-000001", at=datetime.now(UTC) - age)
    (folder / "0.json").write_text(json.dumps([STEP]))
    (folder / "end.json").write_text('{"code": 0}')
    return folder.name


def test_a_proposal_is_worth_one_run_and_only_where_its_risk_was_confirmed(
    person: Person, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, started, here = keep_proposal(stack, timedelta(minutes=9)), [], "/incidents/INC-000001"

    def refuse(self: Jobs, kind: str, about: str, commands: Any, *, who: str) -> None:
        raise InvalidInput("another one is running already")

    def start(self: Jobs, kind: str, about: str, commands: Any, *, who: str) -> None:
        started.append((kind, len(commands)))

    assert "Run these steps" in person.page(here)
    assert "2 (job_missing, trino_down). Propose again once" in person.page(here)
    monkeypatch.setattr(Jobs, "start", start)
    assert "was not confirmed" in person.press(f"{here}/repair", job=job).text
    monkeypatch.setattr(Jobs, "start", refuse)
    assert person.press(f"{here}/repair", job=job, confirmed="yes").status_code == 409
    monkeypatch.setattr(Jobs, "start", start)
    assert person.press(f"{here}/repair", job=job, confirmed="yes").status_code == 200
    again = person.press(f"{here}/repair", job=job, confirmed="yes")
    assert (again.status_code, started) == (409, [("repair", 1)])
    assert "Run these steps" not in again.text and "This proposal was run already" in again.text


def test_a_proposal_of_long_ago_is_not_run(person: Person, stack: Stack) -> None:
    job = keep_proposal(stack, timedelta(minutes=11))
    page = person.page("/incidents/INC-000001")
    assert "Run these steps" not in page and "more than ten minutes old" in page
    answer = person.press("/incidents/INC-000001/repair", job=job, confirmed="yes")
    assert (answer.status_code, Jobs(stack).newest("repair")) == (409, None)


def test_drill_now_starts_the_drill_of_that_page_alone(
    person: Person, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []

    def start(self: Jobs, kind: str, about: str, commands: Any, *, who: str) -> None:
        started.append((kind, about, commands, who))

    monkeypatch.setattr(Jobs, "start", start)
    assert person.press("/runbook/trino-backlog/drill").status_code == 409
    assert person.press("/runbook/trino-backlog/drill", confirmed="yes").status_code == 200
    assert started == [("drill", "trino-backlog", [("drill", "trino-backlog")], "an")]
    for name in ("service-unavailable", "..%2Ftrino-backlog", "all"):
        assert person.press(f"/runbook/{name}/drill", confirmed="yes").status_code in (403, 404, 409)
    assert len(started) == 1


def test_readings_that_decided_stand_open_before_the_healthy_ones_which_are_folded(person: Person) -> None:
    asked = {"at": "2026-11-24T12:00:00+00:00", "source": "connect", "query": "GET /"}
    amiss = {**asked, "probe": "oltp-connector-state", "value": "PAUSED"}
    unknown = {**asked, "probe": "oltp-topic-silence", "value": 44.4}
    calm = {**asked, "probe": "nessie-ready", "value": True}
    body = {"causes": [{"cause": "paused_connector", "for": [amiss], "against": []}], "unknown": [unknown]}
    given = {"kind": "diagnosis", "title": "diagnosis", "body": body, "readings": [calm, amiss, unknown]}
    person.client.headers["Authorization"] = f"Bearer {TOKEN}"
    assert person.client.post("/api/incidents/1/evidence", json=given).status_code == 200
    page = person.page("/incidents/INC-000001")
    evidence = page.partition("<h2>Evidence</h2>")[2].partition("</section>")[0]
    decided, folded = evidence.split("<details><summary>What else was read, and speaks for nothing: 1</summary>")
    assert "nessie-ready" in folded.partition("</details>")[0] and "nessie-ready" not in decided
    assert "<details" not in decided
    assert decided.index("oltp-connector-state") < decided.index("oltp-topic-silence")
    assert "oltp-" not in folded


def test_the_live_parts_of_a_page_are_parts_alone(person: Person) -> None:
    for part in ("head", "timeline", "propose", "repair", "check"):
        text = person.page(f"/incidents/1/live/{part}")
        assert "<html" not in text
    assert person.client.get("/incidents/1/live/secrets").status_code == 404
    assert person.client.get("/incidents/9/live/head").status_code == 404


def test_what_a_job_says_is_shown_to_nobody_who_is_not_signed_in(client: TestClient, stack: Stack) -> None:
    client.post("/api/incidents", json={"title": "x"})
    step = {"action": "a", "summary": "s", "typed": "values that go with it: 42", "arguments": {}, "cause": "c"}
    for kind in ("propose", "repair", "check"):
        folder = keep_job(stack, kind, "INC-000001", lines="values that go with it: 42\n")
        (folder / "0.json").write_text(json.dumps([step | {"risk": {"level": "low", "en": "", "vi": ""}}]))
        (folder / "end.json").write_text('{"code": 0}')
    keep_job(stack, "drill", "replication-lag", lines="values that go with it: 42\n")
    parts = [f"/incidents/1/live/{kind}" for kind in ("propose", "repair", "check")]
    paths = ("/incidents/1", *parts, "/runbook/replication-lag", "/runbook/replication-lag/live/drill")
    for path in paths:
        page = client.get(path).text
        assert "values that go" not in page and "Sign in to see its log." in page, path
    person = Person(client, stack)
    assert all("values that go" in person.page(path) for path in paths)


def test_a_page_says_in_its_readers_language_what_the_violated_value_is(
    client: TestClient, alert: Make, webhook: Make
) -> None:
    given = alert()
    given["annotations"] |= {"unit_en": "ms behind its source", "unit_vi": "ms so với nguồn"}
    client.post("/api/alertmanager", json=webhook(given))
    for language, said in (("en", "45000 ms behind its source"), ("vi", "45000 ms so với nguồn")):
        page = client.get(f"/incidents/INC-000001?lang={language}").text
        assert f"<dd>{said} (lag_millis)</dd>" in page


def test_a_vietnamese_page_marks_timeline_and_drafted_rca_as_english(person: Person) -> None:
    here = "/incidents/INC-000001"
    person.press(f"{here}/note", text="đã khởi động lại")
    person.press(f"{here}/rca", root_cause="a full disk")
    page = person.page(f"{here}?lang=vi")
    assert '<td lang="en">opened by hand: prices are old</td>' in page
    assert "<td>đã khởi động lại</td>" in page
    assert '<article lang="en"><h1>RCA draft' in page
    person.client.headers["Authorization"] = f"Bearer {TOKEN}"
    person.client.post("/api/incidents/1/rca", json={"markdown": "# RCA\n\nĐĩa đầy."})
    assert "<article><h1>RCA</h1>" in person.page(f"{here}?lang=vi")
