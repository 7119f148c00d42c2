"""Times as text, as the shop writes them."""

from datetime import UTC, datetime


def iso(at: datetime) -> str:
    """ISO 8601, UTC, microseconds. A time without a zone, as MariaDB's are, is UTC."""
    plain = at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
    return f"{plain.isoformat(timespec='microseconds')}Z"


def iso_or_none(at: datetime | None) -> str | None:
    """As `iso`, for the time of an event that may not have happened."""
    return None if at is None else iso(at)
