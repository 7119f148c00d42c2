import re
from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from tests.incidents.conftest import Clock, Make, Receive
from typer.testing import CliRunner

from lakeproof.checks.verdict import Outcome, Verdict
from lakeproof.cli import incident as incident_commands
from lakeproof.drills.bound_checks import Judged, counted
from lakeproof.drills.live_world import shapes
from lakeproof.incidents.footnotes import Footnotes
from lakeproof.incidents.rca import draft_rca
from lakeproof.incidents.shapes import Act, EvidenceIn, IncidentIn, Lesson, Note, ReadingShape
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store

AT = datetime(2026, 11, 24, 12, 0, 1, 500_000, tzinfo=UTC)
MARK = re.compile(r"\[\^\d+\]( \|)?$")
# What numbers a line and no fact: a list's number, the day of the timeline's times.
NO_FACT = re.compile(r"^\d+\. |^Times in UTC, of .*$|^# ")


def find_unsourced(markdown: str) -> list[str]:
    """Lines that hold a number and do not end with a footnote; empty for a sound RCA."""
    lines = [line for line in markdown.splitlines() if not line.startswith("[^")]
    bare = [(line, NO_FACT.sub("", line)) for line in lines if not line.startswith("# ")]
    return [line for line, fact in bare if re.search(r"\d", fact) and not MARK.search(line)]


def reading(value: Any, error: str | None = None) -> ReadingShape:
    return ReadingShape(
        probe="paused", value=value, unit="task(s)", at=AT, source="connect", query="GET /x/1", error=error
    )


SEEN = {
    "source": "connect",
    "query": "GET /connectors/orders/status",
    "value": "PAUSED",
    "expected": "== RUNNING",
    "at": "2026-11-24T12:00:03+00:00",
    "probe": "oltp-connector-state",
    "condition": "== PAUSED",
    "unit": "",
}
DIAGNOSED = {
    "healthy": False,
    "causes": [
        {
            "cause": "paused_connector",
            "scenario": "replication-lag",
            "for": [SEEN, *({**SEEN, "probe": f"further-{number}"} for number in range(9))],
            "against": [{**SEEN, "probe": "oltp-source-lag", "value": None, "error": "refused 3 times"}],
        },
        {"cause": "another", "scenario": "x", "for": [{**SEEN, "probe": "of-another"}], "against": []},
    ],
    "unknown": [],
}


@pytest.fixture
def full(store: Store, alert: Make, receive: Receive) -> str:
    """The draft of an incident of which everything was noted that can be."""
    receive(alert("a1"), alert("a2", alertname="Second2"))
    looked_up = {"violation": reading(45000.5), "checkpoint": reading(None, "refused 3 times")}
    store.keep_moments([("1", looked_up, ["360 view"])])
    store.move("1", Status.ACKNOWLEDGED, Act(who="user7"))
    store.note("1", Note(text="restarted 3 tasks | then 4.5% [^9] <b>\n# 5", who="an", readings=[reading(3)]))
    store.attach("1", EvidenceIn(kind="diagnosis", title="diagnosis", body=DIAGNOSED, readings=[reading(True)]))
    store.note("1", Note(kind="action", text="resumed in 1.5 s", readings=[reading(0.75)]))
    claims = {"no_order_lost": "passed: lost 0 of 1500", "survives_restart": "passed: back after 12 s"}
    store.attach("1", EvidenceIn(kind="verification", title="verification", body=claims, readings=[reading(0)]))
    store.attach("1", EvidenceIn(kind="probe", title="seen by 2 engines", body={}, readings=[reading(8)]))
    store.move("1", Status.RESOLVED, Act(who="an", text="all 13,000 there"))
    return draft_rca(store.get("1"), root_cause="paused_connector: it stands still since 14:05")


def test_every_fact_with_a_number_ends_with_its_source(full: str) -> None:
    assert find_unsourced(full) == []


def section(full: str, title: str) -> list[str]:
    """The lines under that heading that are not empty."""
    return [line for line in full.split(f"## {title}\n")[1].split("\n## ")[0].splitlines() if line]


def test_it_begins_with_the_incident_in_five_lines(full: str) -> None:
    story = section(full, "What happened")
    assert [line[:3] for line in story] == ["1. ", "2. ", "3. ", "4. ", "5. "]
    assert "paused_connector: it stands still" in story[1]
    assert "resumed in 1.5 s" in story[2]
    assert "all 2 claims about service and data were proven" in story[4]


def test_a_few_readings_decided_it_and_all_are_in_the_appendix(full: str) -> None:
    cause = section(full, "Root cause")
    assert "oltp-connector-state" in "".join(cause)
    assert sum(line.startswith("| oltp-connector-state") or "further-" in line for line in cause) == 6
    assert "of-another" not in full
    assert any("oltp-source-lag | refused 3 times" in line for line in cause)
    appendix = [line for line in section(full, "Appendix: everything that was read") if line.startswith("| ")]
    sources = {
        "diagnosis",
        "verification",
        "seen by 2 engines",
        "opened by CdcReplicationLagHigh",
        "resumed in 1.5 s",
    }
    assert sources <= {line.split(" | ")[0].removeprefix("| ") for line in appendix}
    assert not [line for line in appendix if "further-" in line]


def test_a_claim_that_does_not_hold_is_in_the_first_lines(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    body = {"no_order_lost": "failed: lost 3", "alert_cleared": "passed: quiet"}
    store.attach("1", EvidenceIn(kind="verification", title="v", body=body))
    assert "NOT proven: no_order_lost (1 of 2 claims)" in section(draft_rca(store.get("1")), "What happened")[4]


def test_a_cause_whose_name_is_part_of_another_name_did_not_decide(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    causes = [
        {"cause": name, "for": [{**SEEN, "probe": f"of-{name}"}]} for name in ("failed_task", "shop_failed_task")
    ]
    store.attach("1", EvidenceIn(kind="diagnosis", title="diagnosis", body={"causes": causes}))
    markdown = draft_rca(store.get("1"), root_cause="shop_failed_task: it failed")
    assert "of-shop_failed_task" in markdown
    assert "of-failed_task" not in markdown


def test_evidence_without_a_value_is_said_in_words(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    nobody = {**SEEN, "probe": "trino-longest-wait", "value": None, "unit": "s"}
    causes = [{"cause": "stuck", "for": [nobody], "against": []}]
    store.attach("1", EvidenceIn(kind="diagnosis", title="d", body={"causes": causes}, readings=[reading(None)]))
    markdown = draft_rca(store.get("1"))
    assert "| trino-longest-wait | no value | == RUNNING [^" in markdown
    assert "| d | paused | no value [^" in markdown
    assert "None" not in markdown


def test_a_line_of_another_day_says_its_day(store: Store, clock: Clock) -> None:
    store.open(IncidentIn(title="x"))
    clock.forward(hours=13)
    store.note("1", Note(text="the day after", who="an"))
    timeline = section(draft_rca(store.get("1")), "Timeline")
    assert [line.split(" | ")[0] for line in timeline[3:]] == ["| 12:00:00", "| 2026-11-25 01:00:00"]


def test_documents_in_other_shapes_are_no_verdict_and_no_diagnosis(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    store.attach("1", EvidenceIn(kind="verification", title="looked at it", body={"so": "fine"}))
    store.attach("1", EvidenceIn(kind="diagnosis", title="mine", body={"causes": ["rain", {"for": "sky"}]}))
    markdown = draft_rca(store.get("1"))
    assert "Verified: looked at it" in markdown
    assert "Not verified: nothing is claimed." in markdown
    assert "No diagnosis was recorded." in markdown


def test_every_footnote_is_defined_once_with_source_query_value_and_time(full: str) -> None:
    defined = re.findall(r"^\[\^(\d+)\]: [^·]+ · `[^`]+` · .+ · \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", full, re.M)
    used = set(re.findall(r"\[\^(\d+)\](?!:)", full))
    assert sorted(defined, key=int) == [str(number) for number in range(1, len(defined) + 1)]
    assert used == set(defined)


def test_what_could_not_be_looked_at_is_said(full: str) -> None:
    assert "could not look (refused 3 times)" in full


def test_an_incident_without_anything_claims_nothing(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    markdown = draft_rca(store.get("1"))
    assert "not named yet." in markdown
    assert "Not verified: nothing is claimed." in markdown


@pytest.mark.parametrize("text", ["lost 7 rows", "2. at 12:03", "v2", "5%", "| x | 0.75 s |", "x=3 [^1] y=4"])
def test_a_number_without_a_footnote_is_found(text: str) -> None:
    assert find_unsourced(text) == [text]


@pytest.fixture
def flapping(store: Store, clock: Clock, alert: Make, receive: Receive) -> str:
    """One alert that fires and clears each minute, twenty times, and one note of a person in the middle."""
    for minute in range(20):
        at = f"2026-11-24T12:{minute:02d}"
        given = alert() | {"startsAt": f"{at}:00Z"}
        receive(given)
        if minute == 0:
            store.move("1", Status.MITIGATING, Act(who="an"))
        if minute == 10:
            store.note("1", Note(kind="action", text="resumed", who="an"))
            store.note("1", Note(text="it comes back", who="binh"))
        clock.forward(seconds=30)
        receive(given | {"status": "resolved", "endsAt": f"{at}:30Z"})
        clock.forward(seconds=30)
    return draft_rca(store.get("1"))


def test_an_alert_that_flaps_is_one_line_and_what_people_did_stays(store: Store, flapping: str) -> None:
    timeline = section(flapping, "Timeline")
    assert len(timeline) <= 12
    often = "fired and cleared 20 times between 12:00:00 and 12:19:30"
    assert f"| 12:00:00 | alertmanager | opened by CdcReplicationLagHigh, which {often} [^" in "\n".join(timeline)
    for said in ("| an | resumed [^", "| binh | it comes back [^", "| an | mitigating", "| desk | mitigating again"):
        assert sum(said in line for line in timeline) == 1, said
    assert find_unsourced(flapping) == []
    whole = section(flapping, "Appendix: the whole timeline")
    assert sum("CdcReplicationLagHigh cleared" in line for line in whole) == 20
    assert sum(line.startswith("| 12:") for line in whole) == len(store.get("1").timeline)


def test_a_timeline_of_people_alone_is_bounded_too(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    for number in range(100):
        store.note("1", Note(text=f"note {number}", who="an"))
    markdown = draft_rca(store.get("1"))
    assert len([line for line in section(markdown, "Timeline") if " | an | " in line]) < 31
    assert "30 lines sum up 101, which all stand in the appendix" in markdown
    assert sum("| an | note " in line for line in section(markdown, "Appendix: the whole timeline")) == 100


def test_a_short_timeline_is_whole_and_not_repeated(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    store.note("1", Note(text="seen", who="an"))
    markdown = draft_rca(store.get("1"))
    assert sum("| an | seen" in line for line in markdown.splitlines()) == 1
    assert "the whole timeline" not in markdown


def test_a_root_cause_begins_no_heading(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    assert "\n\\# x [^" in draft_rca(store.get("1"), root_cause="# x")


UNIT = {"unit_en": "% of max_connections", "unit_vi": "% của max_connections"}


def test_a_value_that_is_not_the_metric_itself_is_told_with_what_it_is(
    store: Store, alert: Make, receive: Receive
) -> None:
    given = alert()
    given["annotations"] |= {"metric": "threads_connected", "value": "92.7", **UNIT}
    receive(given)
    incident = store.get("1")
    assert incident.violated() == "92.7 % of max_connections (threads_connected)"
    assert incident.violated("vi") == "92.7 % của max_connections (threads_connected)"
    assert incident.model_dump(mode="json")["unit"] == "% of max_connections"
    markdown = draft_rca(incident)
    assert "| Violated metric | 92.7 % of max_connections (threads_connected) [^" in markdown
    appendix = section(markdown, "Appendix: everything that was read")
    assert any("| threads_connected | 92.7 % of max_connections [^" in line for line in appendix)


def test_the_impact_names_a_metrics_own_unit_and_what_it_cost(store: Store, alert: Make, receive: Receive) -> None:
    receive(alert())
    for read in (reading(7.5), reading(40.2), reading(None, "refused")):
        age = read.model_copy(update={"probe": "oltp-publish-age", "unit": "s"})
        store.attach("1", EvidenceIn(kind="diagnosis", title="d", body={}, readings=[age]))
    numbers = {"calls_acknowledged": 2600.0, "calls_refused": 46.0, "calls_unclear": 0.0, "restarted_outside": 0.0}
    served = Judged("nothing_else_disturbed", Verdict("nothing else was disturbed", Outcome.FAILED, "46", numbers))
    orders = Judged("no_order_lost", Verdict("no order is lost", Outcome.PASSED, "0", {"acknowledged": 4978}))
    kept = shapes((*counted(served), *counted(orders)))
    given = {"kind": "verification", "title": "v", "body": {}, "readings": kept}
    store.attach("1", EvidenceIn.model_validate(given))
    markdown = draft_rca(store.get("1"))
    rows = [row.partition(" [^")[0] for row in section(markdown, "Impact")]
    assert "| Violated metric | lag_millis = 45000 ms" in rows
    assert rows[-5:] == [
        "| Calls served while the check watched | 2600",
        "| Calls refused meanwhile | 46",
        "| Calls without a clear answer meanwhile | 0",
        "| Acknowledged orders that were judged | 4978",
        "| `main` behind oltp when it was read | 40.2 s",
    ]
    assert find_unsourced(markdown) == []


def test_of_two_alerts_on_one_metric_the_one_that_opened_it_says_what_the_value_is(
    store: Store, alert: Make, receive: Receive
) -> None:
    size, growth = alert("a1", alertname="BacklogHigh"), alert("b2", alertname="GrowthRapid")
    size["annotations"] |= {"metric": "backlog_bytes", "value": "16e9"}
    growth["annotations"] |= {"metric": "backlog_bytes", "summary_en": "grows", "unit_en": "bytes an hour"}
    receive(growth, size)
    incident = store.get("1")
    assert incident.unit == "bytes an hour"
    merged = incident.model_copy(update={"alerts": incident.alerts[::-1]})
    assert merged.unit == "bytes an hour"
    of_the_other = incident.model_copy(update={"title": "45000 ms behind"})
    assert of_the_other.violated() == "backlog_bytes = 45000 bytes"


def test_the_terminal_says_what_the_value_is(
    store: Store,
    alert: Make,
    receive: Receive,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Client:
        def incident(self, name: str) -> dict[str, Any]:
            return store.get(name).model_dump(mode="json")

    given = alert()
    given["annotations"] |= {"value": "92.7", **UNIT}
    receive(given)
    monkeypatch.setattr(incident_commands, "_client", Client)
    app = typer.Typer()
    incident_commands.add_to(app)
    assert "value: 92.7 % of max_connections\n" in CliRunner().invoke(app, ["incident", "show", "1"]).stdout


def test_the_violated_value_has_prometheus_query_as_its_source_where_that_answered(
    store: Store, alert: Make, receive: Receive
) -> None:
    given = alert()
    given["annotations"] |= {"value": "92.7", **UNIT}
    receive(given)
    asked = {"probe": "violation", "at": AT, "source": "prometheus", "query": "100 * max(a) > 90"}

    def source_of(found: ReadingShape) -> str:
        store.keep_moments([("1", {"violation": found}, [])])
        markdown = draft_rca(store.get("1"))
        row = next(line for line in markdown.splitlines() if line.startswith("| Violated metric |"))
        mark = re.findall(r"\[\^\d+\]", row)[-1]
        return next(line for line in markdown.splitlines() if line.startswith(f"{mark}: "))

    assert " desk · `INC-000001 violated metric` · 92.7 · " in source_of(ReadingShape(**asked, error="refused"))
    assert " prometheus · `100 * max(a) > 90` · 92.68 · " in source_of(ReadingShape(**asked, value=92.68))
    impact = section(draft_rca(store.get("1")), "Impact")
    assert sum("92.68" in row for row in impact) == 1
    assert impact[2].startswith("| Violated metric | 92.68 % of max_connections (lag_millis) [^")


def test_the_same_source_has_one_footnote() -> None:
    notes = Footnotes()
    first = notes.of(reading(3))
    assert notes.of(reading(3)) == first
    assert notes.of(reading(4)) != first


def test_a_lesson_that_was_written_stands_in_the_rca_with_its_source(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    assert "to be filled in by people" in draft_rca(store.get("1"))
    store.learn("1", Lesson(text="alert after 2 minutes", who="an"))
    text = draft_rca(store.get("1"))
    assert "alert after 2 minutes (an) [^" in text
    assert "to be filled in by people" not in text
    assert find_unsourced(text) == []
