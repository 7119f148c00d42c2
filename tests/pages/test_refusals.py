import pytest
from fastapi.testclient import TestClient

PERSON = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/nowhere", "/incidents/INC-000099", "/incidents?status=burning"])
def test_a_person_gets_a_page_and_no_json(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=PERSON)
    assert answer.status_code in (404, 422)
    assert answer.headers["content-type"].startswith("text/html")
    assert '{"' not in answer.text and "<nav" in answer.text


def test_a_part_of_a_page_gets_a_line(client: TestClient) -> None:
    answer = client.get("/incidents/INC-000099", headers=PERSON | {"HX-Request": "true"})
    assert answer.status_code == 404 and "<html" not in answer.text and 'class="note bad"' in answer.text


def test_a_script_gets_json(client: TestClient) -> None:
    assert client.get("/nowhere").headers["content-type"] == "application/json"
    answer = client.get("/api/incidents/INC-000099", headers=PERSON)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json")


def test_what_was_asked_for_is_dead_text_in_the_page(client: TestClient) -> None:
    answer = client.get("/incidents/<script>alert(1)</script>", headers=PERSON)
    assert answer.status_code >= 400 and "<script>alert" not in answer.text


def test_another_host_is_told_so_on_a_page(client: TestClient) -> None:
    answer = client.get("/incidents", headers=PERSON | {"Host": "evil.example"})
    assert answer.status_code == 421 and "<nav" in answer.text and "evil.example" not in answer.text
