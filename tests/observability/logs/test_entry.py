"""What a line says about itself; every sample is of a real component's log."""

from datetime import UTC, datetime

import pytest
from tests.observability.logs.samples import (
    BARE_JAVA,
    JAVA,
    LINES,
    LOGGING,
    MIDNIGHT,
    NOW,
    POSTGRES,
    PYTHON,
    UNCAUGHT,
    entries_of,
)

from lakeproof.observability.logs.entry import LEVELS


@pytest.mark.parametrize(("line", "time", "level"), LINES)
def test_time_and_level_of_every_kind_of_log(line: str, time: str, level: str) -> None:
    (entry,) = entries_of(line)
    at = datetime.fromtimestamp(entry.time_ns / 1e9, UTC)
    assert at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] == f"2026-11-26 {time}"
    assert entry.level == level and level in LEVELS


def test_a_line_without_a_time_is_of_now_and_so_is_one_from_the_future() -> None:
    assert entries_of("OpenJDK 64-Bit Server VM warning: x")[0].time_ns == int(NOW * 1e9)
    assert entries_of("2036-11-26T20:12:49,258 WARN x")[0].time_ns == int(NOW * 1e9)
    assert entries_of("2026-13-45T20:12:49,258 WARN x")[0].time_ns == int(NOW * 1e9)


@pytest.mark.parametrize(
    ("text", "lines", "levels"),
    [
        (JAVA, [7, 1], ["error", "info"]),
        (PYTHON, [11, 1], ["error", "info"]),
        (UNCAUGHT, [1, 3, 1], ["info", "error", "unknown"]),
        (MIDNIGHT, [1, 1, 2, 1], ["info", "warning", "info", "warning"]),
        (POSTGRES, [3, 3, 1], ["critical", "error", "unknown"]),
        (LOGGING, [2, 2], ["error", "info"]),
        (BARE_JAVA, [2, 1], ["error", "unknown"]),
        ("a\nb\nWARNING: c", [1, 1, 1], ["unknown", "unknown", "warning"]),
    ],
)
def test_a_trace_is_one_entry(text: str, lines: list[int], levels: list[str]) -> None:
    entries = entries_of(text)
    assert [entry.lines for entry in entries] == lines
    assert [entry.level for entry in entries] == levels
    assert "\n".join(entry.text for entry in entries) == text
    assert [entry.begins for entry in entries[1:]] == [entry.ends for entry in entries[:-1]]


def test_lines_of_one_millisecond_keep_their_order_and_a_line_its_time() -> None:
    text = "2026-11-26T20:12:49,258 INFO same\n" * 3
    first, second, third = (entry.time_ns for entry in entries_of(text))
    assert first < second < third < first + 1_000_000
    assert [entry.time_ns for entry in entries_of(text)] == [first, second, third]
