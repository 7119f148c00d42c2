import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from lakeproof.incidents.footnotes import NUMBER, Footnotes
from lakeproof.incidents.rca import draft_rca
from lakeproof.incidents.shapes import Act, EvidenceIn, IncidentIn, Note, ReadingShape
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.incidents.webhook import Notification

AT = datetime(2026, 11, 24, 12, 0, 1, 500_000, tzinfo=UTC)
DEFINITION = re.compile(r"^\[\^\d+\]: .*$", re.MULTILINE)
MARK = re.compile(r"\[\^\d+\]")


def find_uncited(markdown: str) -> list[str]:
    """Numbers of a document that no footnote follows; empty for a sound RCA."""
    body = DEFINITION.sub("", markdown)
    return [match[0] for match in NUMBER.finditer(body) if not MARK.match(body, match.end())]


def reading(value: Any, error: str | None = None) -> ReadingShape:
    return ReadingShape(
        probe="paused", value=value, unit="task(s)", at=AT, source="connect", query="GET /x/1", error=error
    )


def full(store: Store, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]) -> str:
    store.receive(Notification.model_validate(webhook(alert("a1"), alert("a2", alertname="Second2"))))
    store.keep_moment(
        "1", {"violation": reading(45000.5), "checkpoint": reading(None, "refused 3 times")}, ["360 view"]
    )
    store.move("1", Status.ACKNOWLEDGED, Act(who="user7"))
    store.note("1", Note(text="restarted 3 tasks | then 4.5% [^9] <b>\n# 5", who="an", readings=[reading(3)]))
    store.attach("1", EvidenceIn(kind="diagnosis", title="paused, 1 of 2", body={"n": 12}, readings=[reading(True)]))
    store.note("1", Note(kind="action", text="resumed in 1.5 s", readings=[reading(0.75)]))
    store.attach("1", EvidenceIn(kind="verification", title="lost 0", body={}, readings=[reading(0)]))
    store.attach("1", EvidenceIn(kind="probe", title="seen by 2 engines", body={}))
    store.move("1", Status.RESOLVED, Act(who="an", text="all 13,000 there"))
    return draft_rca(store.get("1"), root_cause="paused_connector after 14:05")


def test_every_number_has_a_footnote(
    store: Store, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    markdown = full(store, alert, webhook)
    assert find_uncited(markdown) == []
    # and once more without the code under test: each word with a digit is followed by [^n]
    body = "\n".join(line for line in markdown.splitlines() if not line.startswith("[^"))
    bare = re.sub(r"\[\^\d+\]", "¤", body)
    assert re.findall(r"\d[\w.:,%+/-]*(?![\w.:,%+/¤-])", bare) == []


def test_every_footnote_is_defined_once_with_source_query_value_and_time(
    store: Store, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    markdown = full(store, alert, webhook)
    defined = re.findall(
        r"^\[\^(\d+)\]: [^·]+ · `[^`]+` · .+ · \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", markdown, re.M
    )
    used = set(re.findall(r"\[\^(\d+)\](?!:)", markdown))
    assert sorted(defined, key=int) == [str(number) for number in range(1, len(defined) + 1)]
    assert used == set(defined)


def test_what_could_not_be_looked_at_is_said(
    store: Store, alert: Callable[..., dict[str, Any]], webhook: Callable[..., dict[str, Any]]
) -> None:
    assert "could not look (refused 3[" in full(store, alert, webhook)


def test_an_incident_without_anything_claims_nothing(store: Store) -> None:
    store.open(IncidentIn(title="x"))
    markdown = draft_rca(store.get("1"))
    assert "Not named yet." in markdown
    assert "Not verified: nothing is claimed." in markdown


@pytest.mark.parametrize("text", ["lost 7 rows", "at 12:03", "v2", "5%", "a 0.75 s wait", "x=3[^1] y=4"])
def test_a_number_without_a_footnote_is_found(text: str) -> None:
    assert find_uncited(text)


def test_the_same_source_has_one_footnote() -> None:
    notes = Footnotes()
    first = notes.reading(reading(3))
    assert notes.reading(reading(3)) == first
    assert notes.reading(reading(4)) != first
