"""The journal: every event of a drill with its time, on disk as it happens: a killed drill leaves its story."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeproof.drills.phases import Stopwatch

JOURNAL_FILE = "journal.json"


class Journal:
    """Events of one drill. `progress` gets each as a line for people."""

    def __init__(self, folder: Path, progress: Callable[[str], None]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / JOURNAL_FILE
        self.events: list[dict[str, Any]] = []
        self._watch = Stopwatch()
        self._progress = progress

    def write(self, phase: str, what: str, **facts: Any) -> None:
        """Keep one event: when, in which phase, what happened, and its facts (JSON values)."""
        event = {"at": datetime.now(UTC).isoformat(), "seconds": round(self._watch.seconds, 3), "phase": phase}
        self.events.append(event | {"what": what} | ({"facts": facts} if facts else {}))
        partial = self.path.with_suffix(".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump(self.events, file, indent=1, default=str, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(self.path)
        self.tell(phase, what)

    def tell(self, phase: str, what: str) -> None:
        """A line for people that is not worth keeping."""
        self._progress(f"{self._watch.seconds:7.1f} s  {phase:<8}  {what}")
