import re

from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.console.conftest import PATIENT

from lakeproof.console.scenario_facts import ScenarioFacts, read_facts
from lakeproof.console.use_case_pages import add_use_case_pages
from lakeproof.incidents.shapes import Act, IncidentIn, MergeIn
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store
from lakeproof.pages.page import Pages
from lakeproof.stack.stack import Stack
from lakeproof.use_cases.state import judge
from lakeproof.use_cases.use_case import use_cases


def open_page(stack: Stack, store: Store) -> TestClient:
    app = FastAPI()
    looks = {
        name: judge(one, dict.fromkeys(one.databases, 3.0 if name != "fraud-detection" else 300.0))
        for name, one in use_cases().items()
    }
    add_use_case_pages(
        app, Pages("lakeproof.console"), stack, store, ScenarioFacts(), lambda: looks, first_wait=PATIENT
    )
    return TestClient(app)


def test_every_use_case_is_shown_with_its_age_and_its_target(stack: Stack, store: Store) -> None:
    client = open_page(stack, store)
    page = client.get("/usecases").text
    for one in use_cases().values():
        assert one.titles["en"] in page and f'href="/usecases/{one.id}"' in page
        text = client.get(f"/usecases/{one.id}").text
        assert all(table in text for table in one.tables) and "lakeproof usecase run" in text
    assert '<span class="badge bad">late</span> Age: <b>5 min</b>' in page
    assert '<span class="badge good">fresh</span> Age: <b>3 s</b>' in page


def test_the_page_is_in_vietnamese_too(stack: Stack, store: Store) -> None:
    page = open_page(stack, store).get("/usecases?lang=vi").text
    for one in use_cases().values():
        assert one.titles["vi"] in page


def test_a_use_case_names_the_incidents_that_hit_it(stack: Stack, store: Store) -> None:
    assert "replication-lag" in read_facts().hitting["fraud-detection"]
    assert 'href="/runbook/replication-lag"' in open_page(stack, store).get("/usecases/fraud-detection").text


def test_another_name_is_404(stack: Stack, store: Store) -> None:
    assert open_page(stack, store).get("/usecases/nothing").status_code == 404


def test_a_use_case_lists_its_incidents_of_the_desk_the_ongoing_ones_first(stack: Stack, store: Store) -> None:
    client = open_page(stack, store)
    assert '<p class="soft">None.</p>' in client.get("/usecases/fraud-detection").text
    for number in range(1, 17):
        store.open(IncidentIn(title=f"trouble {number}"))
        of = ["inventory-360"] if number == 2 else ["fraud-detection", "inventory-360"]
        store.keep_use_cases(f"INC-{number:06}", of)
    for number in range(3, 16):
        store.move(f"INC-{number:06}", Status.RESOLVED, Act(who="an", text="it went away"))
    store.merge("INC-000016", MergeIn(into="INC-000001", who="an"))
    listed = re.findall(r'href="/incidents/(INC-\d+)"', client.get("/usecases/fraud-detection").text)
    assert listed == ["INC-000001", *(f"INC-{number:06}" for number in range(15, 5, -1))]
    page = client.get("/usecases/inventory-360?lang=vi").text
    assert "mới mở" in page and "đã khắc phục" in page and "trouble 2" in page and "2026-11-24 12:00:00 UTC" in page
