"""A time as the shop writes it."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lakeproof_shop.serving.times import iso

HANOI = timezone(timedelta(hours=7))


@pytest.mark.parametrize(
    "at", [datetime(2026, 11, 25, 8), datetime(2026, 11, 25, 8, tzinfo=UTC), datetime(2026, 11, 25, 15, tzinfo=HANOI)]
)
def test_a_time_is_written_in_utc_with_all_its_microseconds_whatever_its_zone(at: datetime) -> None:
    assert iso(at) == "2026-11-25T08:00:00.000000Z"
    assert iso(at + timedelta(microseconds=7)) == "2026-11-25T08:00:00.000007Z"
