"""The desk's client lists all that the desk holds, or says how many it leaves out."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from lakeproof.incidents import client as desk_client
from lakeproof.incidents.client import DeskClient
from lakeproof.stack.stack import Stack


@pytest.fixture
def desk(stack: Stack, client: TestClient, monkeypatch: pytest.MonkeyPatch) -> DeskClient:
    """The client of a desk with five incidents, of which it gets two at a time."""
    for number in range(1, 6):
        client.post("/api/incidents", json={"title": f"trouble {number}", "scenario": f"s{number}"})
    client.post("/api/incidents/2/ack", json={"who": "an"})
    found = DeskClient(stack)

    def request(method: str, url: str, *, json: Any, headers: dict[str, str], **more: Any) -> Any:
        return client.request(method, url.removeprefix(found.url), json=json, headers=headers)

    monkeypatch.setattr(desk_client, "PAGE", 2)
    monkeypatch.setattr("lakeproof.incidents.client.loopback.request", request)
    return found


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["id"].removeprefix("INC-")) for row in rows]


@pytest.mark.parametrize(
    ("most", "shown", "older"), [(1, [5], 4), (3, [5, 4, 3], 2), (5, [5, 4, 3, 2, 1], 0), (None, [5, 4, 3, 2, 1], 0)]
)
def test_the_newest_come_with_the_number_of_those_that_are_left_out(
    desk: DeskClient, most: int | None, shown: list[int], older: int
) -> None:
    rows, beside = desk.newest(most=most)
    assert (ids(rows), beside) == (shown, older)


def test_all_are_listed_however_many_answers_that_takes(desk: DeskClient) -> None:
    assert ids(desk.incidents()) == [5, 4, 3, 2, 1]


def test_only_those_of_the_status_are_listed_and_counted(desk: DeskClient) -> None:
    assert ids(desk.incidents("acknowledged")) == [2]
    rows, older = desk.newest("open", most=3)
    assert (ids(rows), older) == ([5, 4, 3], 1)
    assert desk.newest("resolved", most=3) == ([], 0)
