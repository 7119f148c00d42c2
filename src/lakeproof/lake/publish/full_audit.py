"""The full audit beside the publisher: each minute Trino judges every hash published since, one database after the
other. A finding in MariaDB's tables at the newest hash freezes `main`.

The comparison is handed in (by lakeproof.proof); here is only its clock and what becomes of its result. "Could not
look" (Trino is away, or an error that nobody foresaw) freezes nothing: it is no finding. /health tells it, and the
alert LakeAuditStale fires once no audit has kept up with what is published for five minutes. Hashes that were not
looked at never count as passed.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeproof.errors import LakeproofError
from lakeproof.lake.sources.source import Source, present
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Audited:
    """What one audit saw.

    finding: a sentence about a hash that is wrong in itself, or None.
    through: the last hash that is judged; the next audit begins after it.
    waiting: how many hashes are left for the next audit. passed_over: how many nobody will ever judge.
    got_on: at least one hash was judged that no audit had judged before; the newest alone does not count.
    of_newest: the hash that `main` showed when the audit began is wrong, too. Where only an older hash is wrong,
    people are told, and nothing freezes.
    freezes: the newest hash is wrong, in tables whose damage stops publishing until an audit finds `main` whole.
    """

    finding: str | None
    judged: int
    through: str
    passed_over: int = 0
    waiting: int = 0
    got_on: bool = False
    of_newest: bool = False
    freezes: bool = False

    @property
    def not_looked(self) -> int:
        """How many hashes were not judged."""
        return self.passed_over + self.waiting


@dataclass(frozen=True)
class AuditLook:
    """One audit of one database.

    outcome: passed, failed or unknown.
    why: the finding, or what kept it from looking.
    at: when it began, UNIX time.
    judged: how many hashes it judged, also where the outcome is unknown since it did not come to all of them.
    through: the last hash that it is done with; "" where it did not pass.
    keeps_up: it came to all hashes, or judged a new one and passed over none for good.
    """

    database: str
    outcome: str
    why: str | None
    at: float
    judged: int = 0
    through: str = ""
    keeps_up: bool = False


# Judges a source's tables at the hashes that were published after the given one; None: at all that readers may still
# ask for.
type Hook = Callable[[Stack, Source, str | None], Audited]


class FullAudit:
    """Runs the hook on a thread of its own, for each source that is captured."""

    def __init__(
        self,
        stack: Stack,
        hook: Hook | None = None,
        note: Callable[[AuditLook], None] = lambda look: None,
        clean: Callable[[str], None] = lambda through: None,
        remembered_in: Path | None = None,
    ) -> None:
        """hook: None where there is no audit to run. note: called with each audit of a database. clean: called with a
        hash up to which all audits of one turn passed.

        remembered_in: the file that keeps the last hash audited: a publisher that is started anew goes on there. Each
        database but the first has a file of its own beside it.
        """
        self._stack = stack
        self._note, self._clean = note, clean
        self._hook = hook
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._remembered_in = remembered_in
        self._through: dict[str, str | None] = {}
        # The mapping is replaced and never changed, since the publisher's own thread reads it meanwhile.
        self._broken: Mapping[str, Audited] = {}

    @property
    def freezing(self) -> dict[str, str]:
        """Database → the finding in its tables that freezes `main`, by the newest audit that could look."""
        return {name: told for name, told in self.broken.items() if self._broken[name].freezes}

    @property
    def broken(self) -> dict[str, str]:
        """Database → what is wrong in the hash that `main` showed, by the newest audit that could look."""
        return {name: audited.finding for name, audited in self._broken.items() if audited.finding is not None}

    def start(self) -> None:
        """Begin; does nothing where there is no audit to run."""
        if self._hook is not None:
            threading.Thread(target=self._run, name="full audit", daemon=True).start()

    def stop(self) -> None:
        """End after the audit that is running."""
        self._stop.set()
        self._wake.set()

    def hurry(self) -> None:
        """Have the next audit begin now, or right after the one that is running."""
        self._wake.set()

    def _run(self) -> None:
        pause = self._stack.settings.lake.audit_seconds
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            if self._stop.is_set():
                return
            began = time.monotonic()
            self.look()
            pause = pause_after(time.monotonic() - began, self._stack.settings.lake.audit_seconds)

    def look(self) -> None:
        """One audit of each source that is captured, now. Whatever goes wrong in one, the next one is made."""
        if self._hook is None:
            return
        captured = present(self._stack)
        names = {source.name for source in captured}
        self._broken = {name: audited for name, audited in self._broken.items() if name in names}
        looks = [self._look_at(source, self._hook) for source in captured]
        # The first audit ended first: the hash that it came to is not newer than those that the others came to.
        if looks and all(look.outcome == "passed" for look in looks):
            self._tell(lambda: self._clean(looks[0].through))

    def _look_at(self, source: Source, hook: Hook) -> AuditLook:
        at = time.time()
        if source.name not in self._through:
            self._through[source.name] = _read(self._file_of(source))
        try:
            look = self._judged(source, hook(self._stack, source, self._through[source.name]), at)
        except LakeproofError as error:
            log.warning("the full audit of %s could not look: %s", source.name, error.message)
            look = AuditLook(source.name, "unknown", error.message, at)
        except Exception as error:
            log.exception("the full audit of %s could not look", source.name)
            look = AuditLook(source.name, "unknown", f"{type(error).__name__}: {error}", at)
        # Nothing is told of a database whose capture was stopped meanwhile: what it showed was forgotten then.
        if source in present(self._stack):
            self._tell(lambda: self._note(look))
        return look

    def _tell(self, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Exception:
            # What the audit saw counts all the same. Where the metrics were not told, LakeAuditStale fires; where
            # `backup` was not moved on, this line in the log is the only sign.
            log.exception("not all that follows from the full audit was done")

    def _judged(self, source: Source, audited: Audited, at: float) -> AuditLook:
        others = {name: told for name, told in self._broken.items() if name != source.name}
        self._broken = {**others, source.name: audited} if audited.of_newest else others
        self._through[source.name] = audited.through
        self._remember(source, audited.through)
        told = ""
        if audited.not_looked:
            told = f"did not come to {audited.not_looked} of the published hashes; it judged {audited.judged}"
            log.warning(
                "the full audit of %s %s, and passed over %d for good", source.name, told, audited.passed_over
            )
        why: str | None
        if audited.finding is None and audited.not_looked:
            outcome, why = "unknown", told
        else:
            outcome, why = "passed" if audited.finding is None else "failed", audited.finding
        through = audited.through if outcome == "passed" else ""
        keeps_up = not audited.not_looked or (audited.got_on and not audited.passed_over)
        return AuditLook(source.name, outcome, why, at, audited.judged, through, keeps_up)

    def _file_of(self, source: Source) -> Path | None:
        place = self._remembered_in
        return place if place is None or source.first else place.with_name(f"{place.name}-{source.name}")

    def _remember(self, source: Source, through: str) -> None:
        place = self._file_of(source)
        if place is None:
            return
        try:
            write_file(place, through)
        except OSError as error:
            log.warning("a publisher that is started anew will audit these hashes again: %s", error)


def pause_after(took_seconds: float, every_seconds: float) -> float:
    """Seconds until the next audit. It begins `every_seconds` after the last one began. After an audit that took two
    thirds of `every_seconds` or more, it begins only once half of that audit's time has passed again.

    Were the pause counted from an audit's end, an audit of 30 s would come every 90 s: on a busy machine such audits
    judged less than was published meanwhile.
    """
    return max(every_seconds - took_seconds, took_seconds / 2)


def _read(path: Path | None) -> str | None:
    try:
        return (path.read_text().strip() or None) if path is not None else None
    except OSError:
        return None
