"""The journal: every event of a drill with its time, on disk as it happens, so that a killed drill leaves its story.

A journal that cannot be written (a full disk) never ends the drill: the fault would stay in the stack.
"""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

JOURNAL_FILE = "journal.json"
# The least time between two progress lines: of events that may come many times a second, and during a wait.
SELDOM_SECONDS = 3.0
WAITING_SECONDS = 5.0


class Stopwatch:
    """The wall time of its start, and the monotonic seconds since then."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._start = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the start; a clock that is set meanwhile does not matter."""
        return time.monotonic() - self._start


class Journal:
    """Events of one drill. `progress` gets each event as a line for people.

    unwritten: why the file lacks the newest events; "" while the file holds all of them.
    """

    def __init__(self, folder: Path, progress: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / JOURNAL_FILE
        self.events: list[dict[str, Any]] = []
        self.unwritten = ""
        self._watch = Stopwatch()
        self._progress = progress

    def write(self, phase: str, what: str, **facts: Any) -> None:
        """Keep one event: when, in which phase, what happened, and its facts (JSON values).

        Where the file cannot be written, the event stays in memory and is written with the next event that succeeds.
        """
        event = {"at": datetime.now(UTC).isoformat(), "seconds": round(self._watch.seconds, 3), "phase": phase}
        self.events.append(event | {"what": what} | ({"facts": facts} if facts else {}))
        try:
            self._save()
        except OSError as error:
            if not self.unwritten:
                self.tell(phase, f"{self.path} cannot be written ({error.strerror}); the drill goes on without it")
            self.unwritten = f"{self.path} cannot be written: {error.strerror}"
        else:
            self.unwritten = ""
        self.tell(phase, what)

    def _save(self) -> None:
        """Write all events, with an atomic rename. Raises: OSError."""
        partial = self.path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(self.events, file, indent=1, default=str, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self.path)

    def tell(self, phase: str, what: str) -> None:
        """Show a line for people without keeping it in the journal."""
        self._progress(f"{self._watch.seconds:7.1f} s  {phase:<8}  {what}")

    def seldom(self, phase: str) -> Callable[[str], None]:
        """A progress function for frequent events: shows at most one line per SELDOM_SECONDS, drops the others."""
        watch, next_at = Stopwatch(), 0.0

        def tell(text: str) -> None:
            nonlocal next_at
            if watch.seconds >= next_at:
                next_at = watch.seconds + SELDOM_SECONDS
                self.tell(phase, text)

        return tell

    def waiting(self, phase: str) -> Callable[[str, float], None]:
        """A progress function for Deadline.wait_for: shows what was last seen, each WAITING_SECONDS."""
        next_at = WAITING_SECONDS

        def tell(last: str, elapsed: float) -> None:
            nonlocal next_at
            if elapsed >= next_at:
                next_at = elapsed + WAITING_SECONDS
                self.tell(phase, f"waiting {elapsed:.0f} s: {last[:160]}")

        return tell
