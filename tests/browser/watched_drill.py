"""A drill begun and watched in the console of the running stack: `.venv/bin/python -m tests.browser.watched_drill`.

What a stranger does in an evening: signs in, reads a page of the runbook, presses "Drill now", watches its lines come
until it has ended, and goes on to the incident and its RCA. A real Chromium, the real stack; `lakeproof up` first.
Prints what the pages show. Ends with 1 where the drill failed, a page complained, or axe found something on one.
With `--pictures` it also makes those of docs/console.md that are of a running stack.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By
from tests.browser.chromium import DESKTOP, Browser, chromium
from tests.browser.pictures import IMAGES, WIDE, picture

from lakeproof.deadline import Deadline
from lakeproof.stack.settings import load_settings
from lakeproof.stack.stack import Stack

DRILL_SECONDS = 600.0
RUNNING = "running"
# The picture's name: path and window.
PAGES = {
    "console-stack": ("/", WIDE),
    "console-lake": ("/lake", WIDE),
    "console-dashboard": ("/dashboards/dataflow-overview", DESKTOP),
}


class Visit:
    """The pages that were seen, and what was wrong with them."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.wrong: list[str] = []

    def look(self, what: str) -> None:
        """Judge the page that is shown now."""
        found = [*self.browser.complaints(), *self.browser.violations()]
        print(f"{what} ({self.browser.path}): {'; '.join(found) or 'nothing wrong'}", flush=True)
        self.wrong += found

    def text(self, place: str) -> str:
        """What a person reads there, in one line; "" where it is not."""
        return str(self.browser.run("return document.querySelector(arguments[0])?.innerText || ''", place)).strip()


def sign_in(browser: Browser, token: str, then: str) -> None:
    """By the form."""
    browser.open(f"/signin?next={then}")
    browser.driver.find_element(By.ID, "who").send_keys("a stranger")
    browser.driver.find_element(By.ID, "token").send_keys(token)
    browser.driver.find_element(By.CSS_SELECTOR, "form.stack button").click()
    browser.wait_until("the page behind the form", f"location.pathname === '{then}'")


def watch(visit: Visit) -> str:
    """Until the drill has ended: print how its lines grow. Gives the badge's last text."""
    deadline, shown, badge = Deadline(DRILL_SECONDS), 0, RUNNING
    while badge == RUNNING and not deadline.expired:
        lines = visit.text("#job-drill pre").splitlines()
        if len(lines) > shown:
            print(f"{deadline.elapsed:6.1f} s  {len(lines):4} lines, the last: {lines[-1][:120]}", flush=True)
            shown = len(lines)
        deadline.pause(5.0)
        badge = visit.text("#job-drill .badge") or badge
    return badge


def pictures(browser: Browser) -> None:
    """Those of the running stack."""
    for name, (path, size) in PAGES.items():
        browser.screen(size)
        browser.open(path)
        browser.wait_until("what it shows", "!document.querySelector('main').innerText.includes('Being looked up')")
        png = picture(browser, size)
        (IMAGES / f"{name}.png").write_bytes(png)
        print(f"{name}: {len(png)} bytes", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="?", default="replication-lag")
    parser.add_argument("--pictures", action="store_true")
    given = parser.parse_args()
    stack = Stack(load_settings())
    page = f"/runbook/{given.scenario}"
    with tempfile.TemporaryDirectory() as profile, chromium(stack.url("desk"), Path(profile)) as browser:
        browser.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.screen(DESKTOP)
        visit = Visit(browser)
        sign_in(browser, stack.secret("desk-token"), page)
        browser.open(page)  # anew: what the browser said of the form is forgotten
        visit.look("the runbook's page")
        form = f'form[action="{page}/drill"]'
        browser.driver.find_element(By.CSS_SELECTOR, f"{form} [type=checkbox]").click()
        browser.driver.find_element(By.CSS_SELECTOR, f"{form} button").click()
        # An earlier drill's badge stands there already, with its end.
        running = f"document.querySelector('#job-drill .badge')?.innerText.trim() === '{RUNNING}'"
        browser.wait_until("the drill to have begun", running)
        visit.look("the page with the drill that runs")
        badge = watch(visit)
        print(f"the drill: {badge}")
        browser.open(page)
        visit.look("its page after the drill")
        print(f"its card: {' | '.join(visit.text('dl.facts').splitlines())}")
        incident = browser.run(
            "return document.querySelector('dl.facts a[href^=\"/incidents/\"]')?.getAttribute('href')"
        )
        if incident:
            browser.open(str(incident))
            visit.look("the incident")
            print(f"its RCA begins: {' | '.join(visit.text('article').splitlines()[:6])[:600]}")
        if given.pictures:
            pictures(browser)
    return 0 if badge == "done" and incident and not visit.wrong else 1


if __name__ == "__main__":
    sys.exit(main())
