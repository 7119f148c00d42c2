from typing import Any


def test_the_on_call_page_names_each_teams_channel(client: Any) -> None:
    answer = client.get("/oncall")
    assert answer.status_code == 200
    for channel in ("Slack #data-ops", "Slack #kafka", "PagerDuty", "e-mail"):
        assert f"<td>{channel}</td>" in answer.text
    vietnamese = client.get("/oncall?lang=vi").text
    assert "<td>thư điện tử</td>" in vietnamese and "cảnh báo của Kafka" in vietnamese
