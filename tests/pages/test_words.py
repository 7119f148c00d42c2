"""Every text of every template has its Vietnamese, and no translation is left of a text that went."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from importlib.resources import files

import pytest
from jinja2 import Environment

from lakeproof.observability.routes import all_routes
from lakeproof.pages.words import read_words

HERE = "lakeproof.pages"
ROOMS = (HERE, "lakeproof.incidents", "lakeproof.console")


def texts_of(room: str) -> Iterator[tuple[str, str]]:
    """(file, text) of each `_("…")`."""
    environment = Environment(extensions=["jinja2.ext.i18n"])
    for path in sorted(files(room).joinpath("templates").iterdir(), key=lambda one: one.name):
        source = path.read_text(encoding="utf-8")
        for _, _, found in environment.extract_translations(source, ("gettext", "ngettext", "_")):  # type: ignore[attr-defined]
            for text in (found,) if isinstance(found, str) else found:
                if text:
                    yield path.name, text


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_of_a_template_has_its_vietnamese(room: str) -> None:
    words = read_words((HERE, room))
    assert [(name, text) for name, text in texts_of(room) if not words.get(text)] == []


def test_every_refusal_of_the_desk_has_its_title_in_vietnamese() -> None:
    words, found = read_words((HERE,)), set()
    for path in files("lakeproof.incidents").iterdir():
        if path.name.endswith(".py"):
            found |= set(re.findall(r"(?:Refused|answer|refuse)\((\d{3}),", path.read_text(encoding="utf-8")))
    assert {"400", "403", "413", "415", "429", "507"} <= found
    assert [status for status in found if not words.get(HTTPStatus(int(status)).phrase)] == []


def test_every_row_of_the_table_of_routes_has_its_vietnamese() -> None:
    words = read_words((HERE, "lakeproof.incidents"))
    said = {text for route in all_routes() for text in (route.alerts, route.channel)}
    assert [text for text in said if not words.get(text) and not text.startswith(("Slack #", "PagerDuty"))] == []
