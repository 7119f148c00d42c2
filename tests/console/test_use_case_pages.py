from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.console.conftest import PATIENT

from lakeproof.console.scenario_facts import ScenarioFacts, read_facts
from lakeproof.console.use_case_pages import add_use_case_pages
from lakeproof.pages.page import Pages
from lakeproof.stack.stack import Stack
from lakeproof.use_cases.state import judge
from lakeproof.use_cases.use_case import use_cases


def open_page(stack: Stack) -> TestClient:
    app = FastAPI()
    looks = {
        name: judge(one, dict.fromkeys(one.databases, 3.0 if name != "fraud-detection" else 300.0))
        for name, one in use_cases().items()
    }
    add_use_case_pages(app, Pages("lakeproof.console"), stack, ScenarioFacts(), lambda: looks, first_wait=PATIENT)
    return TestClient(app)


def test_every_use_case_is_shown_with_its_age_and_its_target(stack: Stack) -> None:
    client = open_page(stack)
    page = client.get("/usecases").text
    for one in use_cases().values():
        assert one.titles["en"] in page and f'href="/usecases/{one.id}"' in page
        text = client.get(f"/usecases/{one.id}").text
        assert all(table in text for table in one.tables) and "lakeproof usecase run" in text
    assert '<span class="badge bad">late</span> Age: <b>5 min</b>' in page
    assert '<span class="badge good">fresh</span> Age: <b>3 s</b>' in page


def test_the_page_is_in_vietnamese_too(stack: Stack) -> None:
    page = open_page(stack).get("/usecases?lang=vi").text
    for one in use_cases().values():
        assert one.titles["vi"] in page


def test_a_use_case_names_the_incidents_that_hit_it(stack: Stack) -> None:
    assert "replication-lag" in read_facts().hitting["fraud-detection"]
    assert 'href="/runbook/replication-lag"' in open_page(stack).get("/usecases/fraud-detection").text


def test_another_name_is_404(stack: Stack) -> None:
    assert open_page(stack).get("/usecases/nothing").status_code == 404
