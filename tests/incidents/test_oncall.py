import html
import re
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from lakeproof.incidents.models import Incident
from lakeproof.incidents.status import Status


def test_the_on_call_page_names_each_teams_channel(client: Any) -> None:
    answer = client.get("/oncall")
    assert answer.status_code == 200
    for channel in ("Slack #data-ops", "Slack #kafka", "PagerDuty", "e-mail"):
        assert f"<td>{channel}</td>" in answer.text
    vietnamese = client.get("/oncall?lang=vi").text
    assert "<td>thư điện tử</td>" in vietnamese and "cảnh báo của Kafka" in vietnamese


def many(engine: Engine, number: int, status: Status, clock: Any) -> None:
    """So many incidents of that status."""
    facts = {"severity": "high", "team": "kafka", "scenario": "none", "service": ""}
    with Session(engine) as session, session.begin():
        session.add_all(
            Incident(title="x", status=status.value, opened_at=clock(), moment={}, **facts) for _ in range(number)
        )


def test_the_on_call_page_counts_also_what_it_does_not_show(client: Any, engine: Engine, clock: Any) -> None:
    many(engine, 25, Status.RESOLVED, clock)
    text = client.get("/oncall").text
    assert "without review and lesson yet: 25" in text
    assert "Shown: 20 of 25" in text
    assert 'href="/incidents?status=resolved"' in text


def test_the_list_says_how_many_there_are_and_leads_to_all_of_them(client: Any, engine: Engine, clock: Any) -> None:
    many(engine, 216, Status.OPEN, clock)
    many(engine, 3, Status.RESOLVED, clock)
    path, seen, says = "/incidents?status=open", list[str](), list[str]()
    while path:
        text = client.get(path).text
        seen += re.findall(r'<td><a href="/incidents/(INC-\d+)"', text)
        says += re.findall(r"Shown: \d+ of \d+", text)
        following = re.search(r'<a href="([^"]+)" rel="next"', text)
        path = html.unescape(following[1]) if following else ""
    assert seen == [f"INC-{number:06d}" for number in range(216, 0, -1)]
    assert says == ["Shown: 200 of 216", "Shown: 16 of 216"]
    assert client.get("/incidents?before=x").status_code == 404
    assert [one["id"] for one in client.get("/api/incidents?most=1&before=INC-000012").json()] == ["INC-000011"]
