"""Runs one phase after another: each timed, told, and with an outcome whatever happens in it."""

import logging
from collections.abc import Callable

from lakeproof.checks.verdict import Outcome
from lakeproof.drills.journal import Journal
from lakeproof.drills.phases import Phase, PhaseRecord, Stopwatch
from lakeproof.drills.report import DrillReport
from lakeproof.errors import CouldNotLook, LakeproofError, TransientError

log = logging.getLogger(__name__)


class PhaseRunner:
    """Fills the report's phases and reasons."""

    def __init__(self, report: DrillReport, journal: Journal) -> None:
        self._report, self._journal = report, journal

    def run(self, phase: Phase, do: Callable[[], tuple[Outcome, str]]) -> Outcome:
        """The outcome of `do`, which gives it with its reason. Raises: KeyboardInterrupt, once it is on record."""
        watch = Stopwatch()
        self._journal.write(phase, "begins")
        outcome, why = Outcome.UNKNOWN, "interrupted"
        try:
            outcome, why = do()
        except CouldNotLook as error:
            outcome, why = Outcome.UNKNOWN, error.message
        except TransientError as error:
            # Before the fault is in, "no answer" says nothing about recovery; later it is the matter.
            early = phase in (Phase.BASELINE, Phase.INJECT)
            outcome, why = Outcome.UNKNOWN if early else Outcome.FAILED, error.message
        except LakeproofError as error:
            outcome, why = Outcome.FAILED, error.message
        except Exception as error:  # the top of a drill: a bug must not leave the fault in the stack
            log.exception("drill %s, phase %s", self._report.scenario, phase)
            outcome, why = Outcome.UNKNOWN, f"{type(error).__name__}: {error}"
        finally:
            self._report.phases.append(PhaseRecord(phase, watch.started_at, watch.seconds, outcome, why))
            if outcome is not Outcome.PASSED:
                self._report.reasons.append(f"{phase.value}: {why}")
            self._journal.write(phase, f"{outcome.value}{f': {why}' if why else ''}", seconds=round(watch.seconds, 3))
        return outcome
