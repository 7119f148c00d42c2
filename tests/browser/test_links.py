"""Where pages lead: every link answers, none shows raw text, and no page is out of reach of the start page."""

import re
from collections import deque
from dataclasses import dataclass, field
from html import unescape
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from tests.browser.raw_text import find_raw
from tests.browser.recorded_desk import Desk, routes_of

pytestmark = pytest.mark.browser

LINK = re.compile(r'\s(?:href|src|hx-get|data-chart)="([^"]+)"')
PERSON = {"Accept": "text/html,*/*"}
# A choice of language or colours is offered by every page; of each kind of page the first one's are followed.
CHOICE = re.compile(r"[?&](?:lang|theme)=")
# A live part is asked for while something goes on; an alert's message leads to its incident.
LED_TO_OTHERWISE = re.compile(r"/live/|^/alerts/")
FEWEST_PAGES = 80


@dataclass
class Walk:
    """Every address that pages lead to, in the order in which they are asked for, beginning at the start page."""

    desk: Desk
    found_on: dict[str, str] = field(default_factory=lambda: {"/": "the start page"})
    kinds: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    _waiting: deque[str] = field(default_factory=lambda: deque(["/"]))
    _chosen: set[tuple[str, str]] = field(default_factory=set)

    def walk(self) -> None:
        routes = routes_of(self.desk.app)
        with httpx.Client(base_url=self.desk.base, headers=PERSON, timeout=120, trust_env=False) as client:
            while self._waiting:
                address = self._waiting.popleft()
                client.cookies.clear()  # a choice counts for that one request
                answer = client.get(address)
                kind = next((path for path, pattern in routes if pattern.match(urlsplit(address).path)), "none")
                self.kinds.add(kind)
                if answer.status_code >= 400:
                    self.faults.append(f"{answer.status_code} {address}, on {self.found_on[address]}")
                if answer.headers["content-type"].startswith("text/html"):
                    self.faults += [f"raw {found}, on {address}" for found in find_raw(answer.text)]
                    if not CHOICE.search(address):
                        self._follow(address, kind, answer.text)

    def _follow(self, address: str, kind: str, page: str) -> None:
        ids = set(re.findall(r'\sid="([^"]+)"', page))
        for link in map(unescape, LINK.findall(page)):
            whole = urljoin(self.desk.base + address, link)
            target, _, anchor = whole.removeprefix(self.desk.base).partition("#")
            if not whole.startswith(f"{self.desk.base}/"):
                self.faults.append(f"{link} leads away from the desk, on {address}")
            elif anchor and target == address and anchor not in ids:
                self.faults.append(f"{link} leads nowhere, on {address}")
            elif target not in self.found_on and self._is_new(kind, target):
                self.found_on[target] = address
                self._waiting.append(target)

    def _is_new(self, kind: str, target: str) -> bool:
        if not CHOICE.search(target):
            return True
        choice = (kind, urlsplit(target).query)
        known = choice in self._chosen
        self._chosen.add(choice)
        return not known


@pytest.mark.parametrize(
    "shown",
    [
        '{"a": 1}',
        "Owner: None",
        "None",
        "None UTC",
        "NaN s",
        "# Title",
        "a **bold** word",
        "| a | b |",
        "[a](b)",
        "[^1]",
    ],
)
def test_what_is_raw_is_found_in_a_text_and_may_stand_where_source_is_shown(shown: str) -> None:
    assert len(find_raw(f"<p>None yet: it was opened. <b>{shown}</b></p>")) >= 1
    assert find_raw(f"<p>None: it is calm.</p><pre><code>{shown}</code></pre><textarea>{shown}</textarea>") == []


def test_every_link_answers_and_every_page_is_reached_from_the_start_page(desk: Desk) -> None:
    walk = Walk(desk)
    walk.walk()
    pages = {urlsplit(address).path for address in walk.found_on}
    print(f"{len(walk.found_on)} links to {len(pages)} addresses")
    assert not walk.faults, "\n".join(walk.faults)
    assert len(pages) >= FEWEST_PAGES
    led_to = {path for path, _ in routes_of(desk.app) if not LED_TO_OTHERWISE.search(path)}
    assert led_to - walk.kinds == set()
