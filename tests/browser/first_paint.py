"""How soon a page of the running stack's console shows something: `.venv/bin/python -m tests.browser.first_paint`.

A real Chromium opens each page, and the newest incident's, several times with an empty cache. Prints, in milliseconds
from the start of the navigation, when the first byte came and when the browser first painted something (the Paint
Timing API's "first-paint"): median and most.
Nothing is asserted. The aim is 500 ms on loopback while the whole shop runs.
"""

import statistics
import tempfile
from pathlib import Path

from tests.browser.chromium import Browser, chromium

from lakeproof.stack.settings import load_settings
from lakeproof.stack.stack import Stack

PAGES = (
    "/",
    "/components/kafka",
    "/incidents",
    "/runbook",
    "/runbook/schema-drift",
    "/lake",
    "/usecases",
    "/oncall",
    "/dashboards/dataflow-overview",
)
ROUNDS = 7
ASKED = """
const navigation = performance.getEntriesByType('navigation')[0];
const paint = performance.getEntriesByName('first-paint')[0];
return paint ? [navigation.responseStart, paint.startTime] : null;
"""


def first_paint(browser: Browser, path: str) -> tuple[float, float]:
    """First byte and first paint of one page, in ms."""
    browser.leave()
    browser.driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    browser.driver.get(browser.base + path)
    browser.wait_until("a first paint", "performance.getEntriesByName('first-paint').length")
    byte, paint = browser.run(ASKED)
    return float(byte), float(paint)


def newest_incident(browser: Browser) -> list[str]:
    """The address of the newest incident's page; none where the desk has no incident."""
    browser.open("/incidents")
    found = browser.run("return document.querySelector('tbody a')?.getAttribute('href')")
    return [str(found)] if found else []


def main() -> None:
    stack = Stack(load_settings())
    print("| page | first byte, median | first paint, median | first paint, most |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as profile, chromium(stack.url("desk"), Path(profile)) as browser:
        for path in (*PAGES, *newest_incident(browser)):
            seen = [first_paint(browser, path) for _ in range(ROUNDS)]
            bytes_, paints = ([one[which] for one in seen] for which in (0, 1))
            figures = (statistics.median(bytes_), statistics.median(paints), max(paints))
            print(f"| `{path}` | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |", flush=True)


if __name__ == "__main__":
    main()
