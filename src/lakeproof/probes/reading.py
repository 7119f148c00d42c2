"""What a probe gives: a value with its unit, time, source and the very query that was asked."""

from dataclasses import dataclass
from datetime import datetime

type Value = str | int | float | bool | None


@dataclass(frozen=True)
class Reading:
    """One answer to one read-only question.

    `source` is the component asked, `query` what a person could type to ask again. `error` is set when the
    question had no answer: then `value` is None and means "could not look", never "nothing there".
    """

    probe: str
    value: Value
    unit: str
    at: datetime
    source: str
    query: str
    error: str | None = None

    @property
    def answered(self) -> bool:
        """True when the question had an answer."""
        return self.error is None
