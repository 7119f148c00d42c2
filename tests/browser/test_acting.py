"""What a person does on the pages: signs in, takes an incident on, has to tick what is dangerous, is refused."""

import pytest
from selenium.webdriver.common.by import By
from tests.browser.chromium import Browser
from tests.browser.recorded_desk import OPEN, SCENARIO, TOKEN, Desk

from lakeproof.incidents.shapes import IncidentIn

pytestmark = pytest.mark.browser


def sign_in(browser: Browser, token: str) -> None:
    browser.driver.find_element(By.ID, "who").send_keys("an")
    browser.driver.find_element(By.ID, "token").send_keys(token)
    browser.driver.find_element(By.CSS_SELECTOR, "form.stack button").click()


def press(browser: Browser, action: str) -> None:
    browser.driver.find_element(By.CSS_SELECTOR, f'form[action="{action}"] button').click()


def test_a_person_signs_in_by_the_form_takes_an_incident_on_and_signs_out(browser: Browser, desk: Desk) -> None:
    incident = desk.store.open(IncidentIn(title="labels are late", team="infrastructure")).id
    here = f"/incidents/{incident}"
    browser.open(here)
    browser.driver.find_element(By.CSS_SELECTOR, "a.button[href^='/signin']").click()
    browser.wait_until("the form", "document.querySelector('#token')")
    sign_in(browser, "another-token")
    browser.wait_until("the refusal", "document.querySelector('[role=alert]')")
    browser.driver.find_element(By.ID, "who").clear()
    sign_in(browser, TOKEN)
    browser.wait_until("the incident", f"location.pathname === '{here}' && document.querySelector('#do')")
    press(browser, f"{here}/ack")
    browser.wait_until("the next step", "document.querySelector('#head .badge.acknowledged')")
    found = desk.store.get(incident)
    assert (found.status.value, found.owner) == ("acknowledged", "an")
    press(browser, "/signout")
    browser.wait_until("the list", "location.pathname === '/incidents'")
    browser.open(here)
    assert not browser.run("return document.querySelector('form')")


@pytest.mark.parametrize(
    ("page", "action", "started"),
    [
        (f"/incidents/{OPEN}", f"/incidents/{OPEN}/repair", ("repair", OPEN, "an")),
        (f"/runbook/{SCENARIO}", f"/runbook/{SCENARIO}/drill", ("drill", SCENARIO, "an")),
    ],
    ids=["repair", "drill"],
)
def test_what_is_dangerous_is_started_only_once_its_box_is_ticked(
    signed_in: Browser, desk: Desk, page: str, action: str, started: tuple[str, str, str]
) -> None:
    signed_in.open(page)
    form = f"document.querySelector('form[action=\"{action}\"]')"
    signed_in.run("window.samePage = true")
    press(signed_in, action)
    assert signed_in.run(f"return [window.samePage, {form}.checkValidity()]") == [True, False]
    assert desk.started == []
    signed_in.driver.find_element(By.CSS_SELECTOR, f'form[action="{action}"] [type=checkbox]').click()
    press(signed_in, action)
    signed_in.wait_until("the page anew", "!window.samePage")
    assert desk.started == [started]


def test_every_button_of_an_incidents_page_does_what_it_says(signed_in: Browser, desk: Desk) -> None:
    """From taking it on to its review. `repair`, which only a proposal brings, is pressed above."""
    name = desk.store.open(IncidentIn(title="labels are late", team="infrastructure")).id
    whole = desk.store.open(IncidentIn(title="no room left", team="infrastructure")).id
    offered: set[str] = set()
    pressed: set[str] = set()

    def do(deed: str, effect: str, **fields: str) -> None:
        signed_in.run(
            "window.samePage = true; for (const one of document.querySelectorAll('details')) one.open = true"
        )
        offered.update(signed_in.run("return [...document.querySelectorAll('main form')].map((form) => form.action)"))
        form = signed_in.driver.find_element(By.CSS_SELECTOR, f'form[action="/incidents/{name}/{deed}"]')
        for field, value in fields.items():
            element = form.find_element(By.NAME, field)
            if element.tag_name == "select":
                signed_in.run("arguments[0].value = arguments[1]", element, value)
            else:
                element.clear()
                element.send_keys(value)
        form.find_element(By.TAG_NAME, "button").click()
        signed_in.wait_until(f"{deed}: {effect}", f"!window.samePage && ({effect})")
        pressed.add(signed_in.base + f"/incidents/{name}/{deed}")

    def has(place: str, text: str) -> str:
        return f"document.querySelector('{place}')?.innerText.includes('{text}')"

    def is_now(status: str) -> str:
        return f"document.querySelector('#head .badge.{status}')"

    signed_in.open(f"/incidents/{name}")
    do("note", has("#timeline", "the printer blinks"), text="the printer blinks")
    do("own", has("#head", "binh"), owner="binh")
    do("merge", has(".note.warn", whole), into=whole)
    do("unmerge", is_now("open"))
    do("ack", is_now("acknowledged"))
    do("propose", "true")
    do("check", "true")
    assert desk.started == [("propose", name, "an"), ("check", name, "an")]
    do("mitigate", is_now("mitigating"))
    do("verify", is_now("verifying"))
    do("lesson", has("main", "a spare printer is bought"), text="a spare printer is bought")
    do("resolve", is_now("resolved"), text="paper was put in")
    do("rca", has("article", "out of paper"), root_cause="out of paper")
    for number in range(len(desk.store.get(name).checklist)):
        if not signed_in.run("return document.querySelector('.item-open')"):
            break
        do("checklist", has(".checklist", f"answer {number}"), text=f"answer {number}", state="waived")
    do("review", is_now("reviewed"))
    assert {one.removeprefix(signed_in.base) for one in offered - pressed} == {"/signout"}


def test_nobody_proposes_who_is_not_signed_in(browser: Browser, desk: Desk) -> None:
    browser.open(f"/incidents/{OPEN}")
    assert not browser.run("return document.querySelector('form')")
    browser.run(
        "const form = document.createElement('form'); form.method = 'post'; form.action = arguments[0];"
        "document.body.append(form); form.submit()",
        f"/incidents/{OPEN}/propose",
    )
    browser.wait_until("the refusal", "document.querySelector('.note.bad')")
    said = browser.run("return document.querySelector('main').innerText")
    assert "401" in said and "/signin" in said and '{"' not in said
    assert desk.started == []


def test_a_choice_of_colours_and_language_is_kept_on_the_next_page(browser: Browser) -> None:
    browser.colours("light")
    browser.open("/?theme=dark&lang=vi")
    browser.open("/oncall")
    seen = "return [document.documentElement.lang, getComputedStyle(document.body).backgroundColor]"
    assert browser.run(seen) == ["vi", "rgb(16, 20, 26)"]


def test_focus_stays_where_it_is_while_the_page_looks_again(browser: Browser) -> None:
    browser.open(f"/incidents/{OPEN}")
    browser.run("const one = document.querySelector('#timeline'); one.focus(); one.dataset.old = 'yes'")
    browser.wait_until("another look at the timeline", "!document.querySelector('#timeline').dataset.old")
    assert browser.run("return document.activeElement.id") == "timeline"
