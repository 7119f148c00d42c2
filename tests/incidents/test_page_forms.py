"""Every form of an incident's page, in each state in which it shows, sent with the fields and token that it has."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.incidents.kept_jobs import keep_job
from tests.incidents.test_pages import Person, keep_proposal

from lakeproof.incidents.checklist import ITEMS
from lakeproof.incidents.jobs import Jobs
from lakeproof.incidents.shapes import Act, AnswerIn, IncidentIn, Lesson, MergeIn
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.stack.stack import Stack

HERE, OTHER = "INC-000001", "INC-000002"
ALWAYS = ("note", "own", "lesson")
WORKED_ON = (*ALWAYS, "merge", "propose", "check", "rca", "checklist")
# The forms that the page of an incident shows to whoever is signed in, by what the incident is.
SHOWN: dict[str, Sequence[str]] = {
    "open": ("ack", "mitigate", "resolve", *WORKED_ON),
    "acknowledged": ("mitigate", "verify", "resolve", *WORKED_ON),
    "mitigating": ("verify", "resolve", *WORKED_ON),
    "verifying": ("mitigate", "resolve", *WORKED_ON),
    "resolved": ("review", *ALWAYS, "check", "rca", "checklist"),
    "answered": ("review", *ALWAYS, "check", "rca"),
    "reviewed": ALWAYS,
    "part": ("unmerge", "note", "own"),
    "proposed": ("ack", "mitigate", "resolve", *WORKED_ON, "repair"),
}
# What a person fills in, and what the page shows afterwards and did not show before.
PRESSED: dict[str, tuple[dict[str, str], str]] = {
    "ack": ({}, 'class="badge acknowledged"'),
    "mitigate": ({}, 'class="badge mitigating"'),
    "verify": ({}, 'class="badge verifying"'),
    "resolve": ({"text": "the cache was emptied"}, "resolved: the cache was emptied"),
    "review": ({}, 'class="badge reviewed"'),
    "note": ({"text": "seen at the till"}, "<td>seen at the till</td>"),
    "own": ({"owner": "binh"}, "Owner: binh"),
    "lesson": ({"text": "an alert on their age"}, "<p>an alert on their age</p>"),
    "merge": ({}, f'It is a part of <a href="/incidents/{OTHER}">'),
    "unmerge": ({}, f"parted from {OTHER}"),
    "checklist": ({"text": "seen by hand", "state": "waived"}, "<small>seen by hand</small>"),
    "rca": ({"root_cause": "a full disk"}, "<h1>RCA draft: prices are old</h1>"),
    "propose": ({}, 'hx-get="/incidents/INC-000001/live/propose"'),
    "repair": ({}, 'hx-get="/incidents/INC-000001/live/repair"'),
    "check": ({}, 'hx-get="/incidents/INC-000001/live/check"'),
}
# The page shows the button, and says what is missing when it is pressed.
NOT_YET = {("resolved", "review")}
PRESSES = [(state, deed) for state, deeds in SHOWN.items() for deed in deeds if (state, deed) not in NOT_YET]


class Forms(HTMLParser):
    """The forms of a page, each with its fields as they are sent untouched, boxes ticked."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given["action"], {}))
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option":
            self.found[-1][1].setdefault(self._select, given["value"])
        elif tag in ("input", "textarea"):
            self.found[-1][1][given["name"]] = given.get("value", "")


def prepare(store: Store, stack: Stack, state: str) -> None:
    """Two incidents, of which the first is in that state."""
    for title in ("prices are old", "carts are slow"):
        store.open(IncidentIn(title=title))
    if state == "part":
        store.merge(HERE, MergeIn(into=OTHER))
    elif state == "proposed":
        keep_proposal(stack, timedelta(minutes=1))
    elif state in ("answered", "reviewed"):
        store.learn(HERE, Lesson(text="look at their age"))
        for item in ITEMS:
            store.answer(HERE, AnswerIn(item=item.id))
    reached = {"part": "open", "proposed": "open", "answered": "resolved"}.get(state, state)
    for status in list(Status)[1 : list(Status).index(Status(reached)) + 1]:
        store.move(HERE, status, Act())


def shown_by(page: str) -> list[tuple[str, dict[str, str]]]:
    """The forms about that incident, by the last part of their paths; the page's head has another one (sign out)."""
    paths = [(path.removeprefix(f"/incidents/{HERE}/"), fields) for path, fields in Forms(page).found]
    return [(deed, fields) for deed, fields in paths if "/" not in deed]


@pytest.mark.parametrize("state", SHOWN)
def test_a_page_shows_the_forms_that_its_state_allows(
    client: TestClient, stack: Stack, store: Store, state: str
) -> None:
    prepare(store, stack, state)
    page = Person(client, stack).page(f"/incidents/{HERE}")
    assert {deed for deed, _ in shown_by(page)} == set(SHOWN[state])


@pytest.mark.parametrize(("state", "deed"), PRESSES, ids=[f"{state}-{deed}" for state, deed in PRESSES])
def test_each_form_of_a_page_does_what_it_says(
    client: TestClient, stack: Stack, store: Store, monkeypatch: pytest.MonkeyPatch, state: str, deed: str
) -> None:
    def start(jobs: Jobs, kind: str, about: str, commands: Any, *, who: str) -> Path:
        return keep_job(stack, kind, about, at=datetime.now(UTC))

    monkeypatch.setattr(Jobs, "start", start)
    prepare(store, stack, state)
    person, (filled_in, effect) = Person(client, stack), PRESSED[deed]
    before = person.page(f"/incidents/{HERE}")
    forms = [fields for name, fields in shown_by(before) if name == deed]
    assert forms and effect not in before
    for fields in forms:
        answer = client.post(f"/incidents/{HERE}/{deed}", data={**fields, **filled_in})
        assert answer.status_code == 200, answer.text
    assert person.page(f"/incidents/{HERE}").count(effect) == len(forms)
