import html
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lakeproof.incidents.footnotes import Footnotes, escape, format_time, shown
from lakeproof.incidents.markdown import render_markdown
from lakeproof.incidents.shapes import ReadingShape

HANOI = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 11, 24, 12, 0, 0, 9000, tzinfo=UTC), "2026-11-24T12:00:00.009Z"),
        (datetime(2026, 11, 24, 19, 0, tzinfo=HANOI), "2026-11-24T12:00:00.000Z"),
        (datetime(2026, 11, 24, 12, 0), "2026-11-24T12:00:00.000Z"),
        (datetime(1, 1, 1, tzinfo=HANOI), "0001-01-01T00:00:00+07:00"),
    ],
    ids=["UTC", "another zone", "no zone counts as UTC", "no such time in UTC"],
)
def test_a_time_is_written_in_utc(at: datetime, text: str) -> None:
    assert format_time(at) == text


@pytest.mark.parametrize(
    "text",
    [
        "# x",
        "###### x",
        "#x",
        "#",
        "- x",
        "+ x",
        "* x",
        "-",
        "> x",
        "1. x",
        "12) x",
        "1.",
        "---",
        "- - -",
        "___",
        "_ _ _",
        "~~~ x",
        "```",
    ],
)
def test_what_somebody_wrote_is_a_paragraph_however_it_begins(text: str) -> None:
    assert html.unescape(str(render_markdown(escape(text)))) == f"<p>{text}</p>\n"


@pytest.mark.parametrize("text", ["-5.2 s", "+3", "1.5 s", "2026-11-24", "_x_"])
def test_a_number_is_left_as_it_is(text: str) -> None:
    assert escape(text) == text


def test_an_answer_without_a_value_is_said_in_words_and_is_no_missing_answer() -> None:
    at, notes = datetime(2026, 11, 24, tzinfo=UTC), Footnotes()
    waits = ReadingShape(probe="trino-longest-wait", unit="s", at=at, source="trino", query="GET /v1/query")
    notes.of(waits)
    assert shown(waits) == "no value"
    assert "GET /v1/query` · no value · 2026" in notes.render()
    assert shown(waits.model_copy(update={"error": "refused"})) == "could not look (refused)"
