from datetime import UTC, datetime, timedelta, timezone

import pytest

from lakeproof.incidents.footnotes import format_time

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
