"""The full audit beside the publisher: each minute, every hash published since, by Trino. A finding freezes `main`.

What is compared is handed in (by lakeproof.proof); here is only its clock and what becomes of its result. "Could not
look" (Trino is away, or an error that nobody foresaw) freezes nothing: it is no finding. /health tells it, and the
alert LakeAuditStale speaks once no audit has kept up with what is published for five minutes. Hashes that were not
looked at never count as passed.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import LakeproofError
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Audited:
    """What one audit saw.

    finding: a sentence where a hash is wrong in itself, else None. Hashes that it did not come to: `waiting` for the
    next audit, or `passed_over`, of which nobody will ever know. got_on: it judged some after the last one's, the
    newest alone does not count. through: the last hash it is done with; the next audit begins after it.
    newest_is_wrong: the finding is of the hash that `main` showed when the audit began. Then `main` is frozen, until
    an audit finds whole what it shows. A wrong hash of the past with whole ones after it is told and freezes nothing.
    """

    finding: str | None
    judged: int
    through: str
    passed_over: int = 0
    waiting: int = 0
    got_on: bool = False
    newest_is_wrong: bool = False

    @property
    def not_looked(self) -> int:
        """All hashes that it did not come to."""
        return self.passed_over + self.waiting


@dataclass(frozen=True)
class AuditLook:
    """One audit. `outcome`: passed, failed or unknown. `why`: the finding, or what kept it from looking.

    `at`: when it began, UNIX time. `judged`: how many hashes it judged; some, where it is unknown only because it did
    not come to all of them. `through`: of one that passed, the last hash that it is done with. `keeps_up`: it came to
    all, or got on and passed none over for good.
    """

    outcome: str
    why: str | None
    at: float
    judged: int = 0
    through: str = ""
    keeps_up: bool = False


# Judges the hashes that were published after the given one; None: all that readers may still ask for.
type Hook = Callable[[Stack, str | None], Audited]


class FullAudit:
    """Runs the hook on a thread of its own. `finding`: of the newest audit that could look; None where that passed.

    `last`: the newest audit, whatever became of it; None before the first.
    """

    def __init__(
        self,
        stack: Stack,
        hook: Hook | None = None,
        note: Callable[[AuditLook], None] = lambda look: None,
        remembered_in: Path | None = None,
    ) -> None:
        """hook: None where there is no audit to run. `note` is told of each audit.

        remembered_in: the file that keeps the last hash audited: a publisher that is started anew goes on there.
        """
        self._stack = stack
        self._note = note
        self._hook = hook
        self._stop = threading.Event()
        self._remembered_in = remembered_in
        self._through = _read(remembered_in)
        self.finding: str | None = None
        self.last: AuditLook | None = None

    def start(self) -> None:
        """Begin; does nothing where there is no audit to run."""
        if self._hook is not None:
            threading.Thread(target=self._run, name="full audit", daemon=True).start()

    def stop(self) -> None:
        """End after the audit that is running."""
        self._stop.set()

    def _run(self) -> None:
        pause = self._stack.settings.lake.audit_seconds
        while not self._stop.wait(pause):
            began = time.monotonic()
            self.look()
            pause = pause_after(time.monotonic() - began, self._stack.settings.lake.audit_seconds)

    def look(self) -> None:
        """One audit, now. Whatever goes wrong in it, the next one is made."""
        if self._hook is None:
            return
        at = time.time()
        try:
            self.last = self._judged(self._hook(self._stack, self._through), at)
        except LakeproofError as error:
            log.warning("the full audit could not look: %s", error.message)
            self.last = AuditLook("unknown", error.message, at)
        except Exception as error:
            log.exception("the full audit could not look")
            self.last = AuditLook("unknown", f"{type(error).__name__}: {error}", at)
        try:
            self._note(self.last)
        except Exception:
            # What it saw counts all the same. Where the metrics were not told, LakeAuditStale speaks; where `backup`
            # was not moved on, this line in the log is all.
            log.exception("not all that follows from the full audit was done")

    def _judged(self, audited: Audited, at: float) -> AuditLook:
        self.finding = audited.finding if audited.newest_is_wrong else None
        self._through = audited.through
        self._remember()
        told = ""
        if audited.not_looked:
            told = f"did not come to {audited.not_looked} of the published hashes; it judged {audited.judged}"
            log.warning("the full audit %s, and passed over %d for good", told, audited.passed_over)
        why: str | None
        if audited.finding is None and audited.not_looked:
            outcome, why = "unknown", told
        else:
            outcome, why = "passed" if audited.finding is None else "failed", audited.finding
        through = audited.through if outcome == "passed" else ""
        keeps_up = not audited.not_looked or (audited.got_on and not audited.passed_over)
        return AuditLook(outcome, why, at, audited.judged, through, keeps_up)

    def _remember(self) -> None:
        if self._remembered_in is None or self._through is None:
            return
        try:
            write_file(self._remembered_in, self._through)
        except OSError as error:
            log.warning("a publisher that is started anew will audit these hashes again: %s", error)


def pause_after(took_seconds: float, every_seconds: float) -> float:
    """Seconds until the next audit: it begins `every_seconds` after the last one began, but after a long one (two
    thirds of that and more) only once half of its time has passed again.

    Were it counted from an audit's end, one that takes 30 s would come every 90 s: on a busy machine such audits
    judged less than was published meanwhile.
    """
    return max(every_seconds - took_seconds, took_seconds / 2)


def _read(path: Path | None) -> str | None:
    try:
        return (path.read_text().strip() or None) if path is not None else None
    except OSError:
        return None
