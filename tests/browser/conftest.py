"""One desk and one browser for all tests of this folder."""

from collections.abc import Iterator

import pytest
from tests.browser.chromium import Browser, chromium
from tests.browser.recorded_desk import Desk, recorded_desk


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with recorded_desk(tmp_path_factory.mktemp("desk")) as desk:
        yield desk


@pytest.fixture(scope="session")
def window(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(desk.base, tmp_path_factory.mktemp("profile")) as window:
        yield window


@pytest.fixture
def browser(window: Browser, desk: Desk) -> Browser:
    """The window as a new reader has it: nothing chosen, nobody signed in."""
    window.forget()
    desk.started.clear()
    return window


@pytest.fixture
def signed_in(browser: Browser, desk: Desk) -> Browser:
    browser.forget(**{desk.sessions.cookie: desk.sessions.start("an")})
    return browser
