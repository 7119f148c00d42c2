"""Each kind of page as people meet it: on a phone and a desk, by day and by night, in both languages, by keyboard."""

from collections import Counter

import pytest
from tests.browser.chromium import DESKTOP, PHONE, Browser
from tests.browser.recorded_desk import OPEN, OVERDUE, PART, REVIEWED, SCENARIO

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

PAGES = {
    "stack": "/",
    "component not started": "/components/spark",
    "lake": "/lake",
    "use cases": "/usecases",
    "use case": "/usecases/fraud-detection",
    "dashboards": "/dashboards",
    "dashboard": "/dashboards/dataflow-overview",
    "on-call": "/oncall",
    "runbook": "/runbook",
    "runbook page never drilled": "/runbook/schema-drift",
    "incidents": "/incidents",
    "incidents of no such status": "/incidents?status=reviewed",
    "incident open": f"/incidents/{OPEN}",
    "incident overdue": f"/incidents/{OVERDUE}",
    "sign-in": "/signin",
}
# `make test` looks at these, `make test-browser` at all.
FIVE = ("stack", "lake", "runbook", "incidents", "incident open")
# Who is signed in sees all that others see, and forms and logs besides.
PAGES_OF_WHO_IS_SIGNED_IN = {
    "component": "/components/connect",
    "on-call": "/oncall",
    "runbook page with drill and lesson": f"/runbook/{SCENARIO}",
    "incident open": f"/incidents/{OPEN}",
    "incident merged": f"/incidents/{PART}",
    "incident with report": f"/incidents/{REVIEWED}",
}
REFUSALS = {
    "no such page": "/nowhere",
    "no such component": "/components/nothing",
    "no such incident": "/incidents/9",
}


def faults_of(browser: Browser, path: str) -> list[str]:
    """What is wrong with a page: English by day on a desk, by keyboard, and Vietnamese by night on a phone."""
    faults: list[str] = []
    for language, colours, size in (("en", "light", DESKTOP), ("vi", "dark", PHONE)):
        browser.screen(size)
        browser.colours(colours)
        browser.open(f"{path}{'&' if '?' in path else '?'}lang={language}")
        browser.run("looking.unfold()")
        if browser.run("return document.documentElement.lang") != language:
            faults.append(f"not in {language}")
        here = f"{language}, {colours}, {size[0]} px"
        faults += [f"{here}: {found}" for found in browser.violations()]
        faults += [f"{here}: raw {found}" for found in browser.run("return looking.raw()")]
        if size == DESKTOP:
            faults += keyboard_faults_of(browser)
            browser.screen(PHONE)
        if wide := browser.too_wide(PHONE[0]):
            faults.append(f"{language}: wider than a phone by {wide}")
        faults += [f"{here}: console: {said}" for said in browser.complaints()]
    return faults


def keyboard_faults_of(browser: Browser) -> list[str]:
    controls, met = browser.tab_through()
    reached = Counter(one.control for one in met)
    faults = [f"Tab does not reach {name}" for name in Counter(controls) - reached]
    faults += [f"focus is not shown on {one.control}" for one in met if not one.shown]
    return faults + [f"focus is out of sight on {one.control}" for one in met if not one.in_sight]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=name, marks=pytest.mark.pages if name in FIVE else ()) for name, path in PAGES.items()],
)
def test_a_page_can_be_read_and_used_by_everybody(browser: Browser, path: str) -> None:
    faults = faults_of(browser, path)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("path", PAGES_OF_WHO_IS_SIGNED_IN.values(), ids=PAGES_OF_WHO_IS_SIGNED_IN)
def test_a_page_with_its_forms_can_be_read_and_used_by_everybody(signed_in: Browser, path: str) -> None:
    faults = faults_of(signed_in, path)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("path", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_a_page_too(browser: Browser, path: str) -> None:
    own = f"console: {browser.base}{path}"  # the browser also tells of the page itself that it was refused
    faults = [fault for fault in faults_of(browser, path) if own not in fault]
    assert not faults, "\n".join(faults)
