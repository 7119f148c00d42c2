"""By what a hold begins and ends; a test gives a clock of its own."""

from collections.abc import Callable
from datetime import UTC, datetime

type Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's."""
    return datetime.now(UTC)
