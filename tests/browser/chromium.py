"""Debian's Chromium without a window, driven by the chromedriver of the same Debian source: both always fit.

Nothing is downloaded. axe-core (MPL-2.0) comes as the file that the package axe-selenium-python carries; it is used
unmodified, by tests alone.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from lakeproof.deadline import Deadline
from lakeproof.errors import InvalidInput
from lakeproof.install.doctor import find_program

BROWSERS, DRIVER = ("chromium", "chromium-browser", "google-chrome"), "chromedriver"
LOAD_SECONDS = 60.0
FITS_SECONDS = 5.0
AXE_SECONDS = 240.0  # the largest page took more than 60 beside engines that held both cores
NOTHING = "/static/icon.svg"  # asks for nothing, and is of the pages' own address: the browser keeps its process
PHONE, DESKTOP = (390, 844), (1280, 900)
SCRIPT = Path(__file__).with_name("looking.js").read_text(encoding="utf-8")
AXE = files("axe_selenium_python").joinpath("node_modules", "axe-core", "axe.min.js")
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-features=BackForwardCache",  # a page that was left is gone
    "--disable-extensions",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-pipe",  # it ends with its driver
)


@dataclass(frozen=True)
class Focused:
    """What Tab led to: the control, whether its focus changed how it looks, and whether it was in sight then."""

    control: str
    shown: bool
    in_sight: bool


def find_browser() -> tuple[Path, Path]:
    """The browser and its driver. Raises: InvalidInput that says how to get them."""
    browser = next((found for name in BROWSERS if (found := find_program(name)) is not None), None)
    driver = find_program(DRIVER)
    if browser is None or driver is None:
        missing = " and ".join(name for name, found in ((BROWSERS[0], browser), (DRIVER, driver)) if found is None)
        raise InvalidInput(
            f"missing: {missing}; the console's pages are tested in a real browser",
            where="tests/browser",
            next_action="make setup, or: apt-get install --no-install-recommends chromium chromium-driver"
            " (where apt has no Chromium: bring Google Chrome and its chromedriver on PATH)",
        )
    return browser, driver


class Browser:
    """One window. Between two pages it shows one that asks for nothing: each page answers for itself alone."""

    def __init__(self, driver: Chrome, base: str) -> None:
        self.driver, self.base = driver, base
        driver.set_script_timeout(AXE_SECONDS)
        driver.set_page_load_timeout(LOAD_SECONDS)

    @cached_property
    def _axe(self) -> str:
        return AXE.read_text(encoding="utf-8")

    def open(self, path: str) -> None:
        """Load a page, and wait until what it asks for at once is there."""
        self.leave()
        self.driver.get(self.base + path)
        self.settle()

    def leave(self) -> None:
        """To a page that asks for nothing; what the browser said about the page before is forgotten."""
        self.driver.get(self.base + NOTHING)
        self.driver.get_log("browser")  # type: ignore[no-untyped-call]

    def settle(self) -> None:
        """Wait until the page, its panels and the charts in sight are there."""
        self.driver.execute_script(SCRIPT)
        last = ""

        def look() -> bool | None:
            nonlocal last
            last = str(self.run("return looking.unsettled()"))
            return True if not last else None

        Deadline(LOAD_SECONDS).wait_for(f"{self.path} to be there", look, every=0.05, seen=lambda: last)

    def wait_until(self, what: str, condition: str) -> None:
        """Wait for a condition in JavaScript. Raises: DeadlineExpired with where the browser is, and its headings."""

        def seen() -> str:
            heads = self.run("return [...document.querySelectorAll('h1,.note,[role=alert]')].map(x => x.textContent)")
            return f"{self.path}: {heads}"

        def look() -> bool | None:
            return True if self.run(f"return document.readyState === 'complete' && ({condition})") else None

        Deadline(LOAD_SECONDS).wait_for(what, look, every=0.05, seen=seen)

    def run(self, script: str, *given: Any) -> Any:
        """What a script gives back."""
        return self.driver.execute_script(script, *given)

    @property
    def path(self) -> str:
        """Where the browser is."""
        return self.driver.current_url.removeprefix(self.base)

    def complaints(self) -> list[str]:
        """Errors of the console and requests that failed since the page was opened."""
        said: list[Mapping[str, Any]] = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(one["message"]) for one in said if one["level"] == "SEVERE"]

    def forget(self, **cookies: str) -> None:
        """As a new reader has it: without any choice, and with these cookies only."""
        self._devtools("Network.clearBrowserCookies", {})
        for name, value in cookies.items():
            cookie = {"name": name, "value": value, "url": self.base, "httpOnly": True, "sameSite": "Strict"}
            self._devtools("Network.setCookie", cookie)

    def screen(self, size: tuple[int, int]) -> None:
        """As wide and high as that; a phone's browser may also widen its page to what does not fit."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self._devtools("Emulation.setDeviceMetricsOverride", metrics)

    def too_wide(self, width: int) -> str:
        """What does not fit into that width; "" where all does. Charts take a new width some moments later."""
        deadline = Deadline(FITS_SECONDS)
        while (wide := str(self.run("return looking.tooWide(arguments[0])", width))) and not deadline.expired:
            deadline.pause(0.1)
        return wide

    def colours(self, scheme: str) -> None:
        """dark or light: what the reader's system is said to want."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self._devtools("Emulation.setEmulatedMedia", {"features": features})

    def violations(self) -> list[str]:
        """What axe finds, with the place: rule, element, what is wrong with it."""
        if not self.run("return 'axe' in window"):
            self.run(self._axe)
        found = self.driver.execute_async_script(
            "const done = arguments[0]; axe.run(document, {resultTypes: ['violations']}).then("
            "(found) => done(found.violations.flatMap((one) => one.nodes.map((node) =>"
            " `${one.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`))), (error) => done([String(error)]))"
        )
        return [str(one) for one in found]

    def tab_through(self) -> tuple[list[str], list[Focused]]:
        """Press Tab until the page is left: the controls that a person can see, and what Tab led to."""
        controls: list[str] = self.run("return looking.begin()")
        keys = ActionChains(self.driver, duration=0)
        for _ in range(len(controls) + 3):
            keys.send_keys(Keys.TAB)
        keys.perform()
        return controls, [Focused(*one) for one in self.run("return looking.end()")]

    def _devtools(self, command: str, parameters: dict[str, Any]) -> None:
        self.driver.execute_cdp_cmd(command, parameters)


class _Driver(Service):
    """chromedriver, ended by the kernel when the tests are killed."""

    def __init__(self, driver: str) -> None:
        self._before = ["--pdeathsig", "KILL", "--", driver]
        super().__init__(str(find_program("setpriv")))

    def command_line_args(self) -> list[str]:
        """What follows the program."""
        return [*self._before, *super().command_line_args()]


@contextmanager
def chromium(base: str, profile: Path) -> Iterator[Browser]:
    """A browser for the pages below `base`, ended at the end. Raises: InvalidInput where none is installed."""
    program, driver = find_browser()
    options = ChromeOptions()
    options.binary_location = str(program)
    flags = (*FLAGS, f"--user-data-dir={profile}", *(("--no-sandbox",) if os.getuid() == 0 else ()))
    for flag in flags:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("no_proxy", "localhost,127.0.0.1")  # the driver and the pages are on this machine
        started = Chrome(options, _Driver(str(driver)))
        try:
            yield Browser(started, base)
        finally:
            started.quit()
