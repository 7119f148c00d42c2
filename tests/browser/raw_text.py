"""What looking.js calls raw, in a page's HTML: for pages that are asked for without a browser."""

import re
from html.parser import HTMLParser

from tests.browser.chromium import SCRIPT

_FLAGS = {"": re.NOFLAG, "m": re.MULTILINE}
# `[/pattern/flags, "what it is"]`; none has a slash in it.
RAW = [
    (re.compile(shape, _FLAGS[flags]), kind) for shape, flags, kind in re.findall(r'\[/(.+?)/(m?), "(.+?)"\]', SCRIPT)
]
_found = re.search(r'const SOURCE = "(.+?)"', SCRIPT)
assert _found is not None
SOURCE = frozenset(_found[1].split(", "))


class _Texts(HTMLParser):
    """The texts of a page, without those that are meant to show source."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._within = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._within += tag in SOURCE

    def handle_endtag(self, tag: str) -> None:
        self._within -= tag in SOURCE

    def handle_data(self, data: str) -> None:
        if not self._within:
            self.texts.append(data)


def find_raw(page: str) -> list[str]:
    """Texts of a page that show how they were written or kept, and not what they say."""
    texts = _Texts()
    texts.feed(page)
    texts.close()
    return [f"{kind}: {text.strip()[:120]}" for text in texts.texts for shape, kind in RAW if shape.search(text)]
