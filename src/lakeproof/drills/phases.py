"""The phases of a drill, in their order, each with its start, its seconds and its outcome."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from lakeproof.checks.verdict import Outcome


class Phase(StrEnum):
    """In this order; a drill passes only where every one of them was observed."""

    BASELINE = "baseline"
    INJECT = "inject"
    DETECT = "detect"
    DIAGNOSE = "diagnose"
    MITIGATE = "mitigate"
    RECOVER = "recover"
    VERIFY = "verify"
    REVIEW = "review"


@dataclass(frozen=True)
class PhaseRecord:
    """One phase as it went. `why`: the reason where it did not pass."""

    phase: Phase
    started_at: datetime
    seconds: float
    outcome: Outcome
    why: str = ""

    def as_json(self) -> dict[str, Any]:
        """The shape in report.json."""
        data: dict[str, Any] = {
            "name": self.phase.value,
            "started_at": self.started_at.isoformat(),
            "seconds": round(self.seconds, 3),
            "outcome": self.outcome.value,
        }
        return data | ({"why": self.why} if self.why else {})


class Stopwatch:
    """Wall time of a start and monotonic seconds since."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._start
