"""The phases of a drill in their order, the record of each, and how one phase is run."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.journal import Journal, Stopwatch
from lakeproof.errors import CouldNotLook, LakeproofError, TransientError

log = logging.getLogger(__name__)


class Phase(StrEnum):
    """The phases in their order. A drill passes only where every phase passed (a healthy drill has only four)."""

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
    """One phase as it went. `why`: the reason where it did not pass; where it passed, what could not be looked at."""

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


class PhaseRunner:
    """Runs phases: times each, writes it into the journal, and gives it an outcome whatever it raises.

    records, reasons: lists of the report, filled here; `reasons` says why a phase did not pass.
    blind: leave the reasons out of the journal, since they may name what is played.
    """

    def __init__(
        self, records: list[PhaseRecord], reasons: list[str], journal: Journal, *, blind: bool = False
    ) -> None:
        self._records, self._reasons, self._journal, self._blind = records, reasons, journal, blind

    def run(self, phase: Phase, do: Callable[[], tuple[Outcome, str]]) -> Outcome:
        """Run `do`, which gives the phase's outcome and the reason for it; gives the outcome.

        Raises: KeyboardInterrupt, once the phase is on record.
        """
        watch = Stopwatch()
        self._journal.write(phase, "begins")
        outcome, why = Outcome.UNKNOWN, "interrupted"
        try:
            outcome, why = do()
        except CouldNotLook as error:
            outcome, why = Outcome.UNKNOWN, error.message
        except TransientError as error:
            # Before the fault is in, a part that does not answer proves nothing about recovery. After that, it does.
            early = phase in (Phase.BASELINE, Phase.INJECT)
            outcome, why = Outcome.UNKNOWN if early else Outcome.FAILED, error.message
        except LakeproofError as error:
            outcome, why = Outcome.FAILED, error.message
        except Exception as error:  # the top of a drill: a bug must not leave the fault in the stack
            log.exception("phase %s of a drill", phase)
            outcome, why = Outcome.UNKNOWN, f"{type(error).__name__}: {error}"
        finally:
            self._records.append(PhaseRecord(phase, watch.started_at, watch.seconds, outcome, why))
            if outcome is not Outcome.PASSED:
                self._reasons.append(f"{phase.value}: {why}")
            told = f": {why}" if why and not self._blind else ""
            self._journal.write(phase, f"{outcome.value}{told}", seconds=round(watch.seconds, 3))
        return outcome
