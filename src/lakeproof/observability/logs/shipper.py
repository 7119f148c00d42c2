"""Takes every component's log to the log store, each entry once. app.py is the service around it.

The promise: an entry is in VictoriaLogs exactly once, whatever is killed, as long as it is still in the files. An
entry carries the range of its log's stream that it was made of. `places` keeps, per log, up to where the store has
written everything to disk: an acknowledged push counts only when the store lives on for longer than it keeps
entries in memory. After each new connection the shipper goes back to that place, asks which ranges the store has, and
pushes the rest. Loki is not asked: it passes over an entry whose labels, time and text it has already, and an entry's
time comes from its line. While the store is away nothing is kept in memory: the entries wait in the files.
"""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lakeproof.observability.logs.push import Batch, LogStore, StoreAway
from lakeproof.observability.logs.tailer import READ_BYTES, Tailer, merged
from lakeproof.processes import logfile
from lakeproof.written import write_file

ROUND_SECONDS = 1.0
DISCOVER_SECONDS = 2.0
BATCH_BYTES = 512 * 1024
# At most this many reads of one log in a round, so that a log that is written fast keeps no other one waiting.
READS_A_ROUND = 8
# VictoriaLogs writes to disk what it was given after 5 s (-inmemoryDataFlushInterval).
IN_MEMORY_SECONDS = 10.0
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)
# A shipper that was killed may have a push under way that the store has not finished reading.
FIRST_PAUSE_SECONDS = 0.5
# The part of a log that is compared with the store at a time.
WINDOW_BYTES = 1 << 20

log = logging.getLogger(__name__)


class Shipper:
    """All logs of a folder. `clock`: monotonic seconds."""

    def __init__(
        self, logs: Path, places: Path, store: LogStore, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self.tailers: dict[str, Tailer] = {}
        self.pushed_entries = 0
        self.refused_entries = 0
        self.trouble = ""
        self.behind = False
        self._logs, self._places_file, self._clock = logs, places, clock
        self._places = _read_places(places)
        self._suspect_until: dict[str, int] = {}
        self._compared_until: dict[str, int] = {}
        self._in_memory: deque[tuple[float, dict[str, int]]] = deque()
        self._next_discovery = 0.0
        self._places_told = False

    @property
    def lost_bytes(self) -> int:
        """Bytes that were rotated away, or emptied by somebody, before they were read."""
        return sum(tailer.lost_bytes for tailer in self.tailers.values())

    @property
    def unshipped_bytes(self) -> int:
        """Bytes that are written, but not known to be on the store's disk yet."""
        waiting = 0
        for name, tailer in self.tailers.items():
            waiting += max(0, logfile.span(tailer.path)[1] - self._places.get(name, 0))
        return waiting

    def connect(self) -> None:
        """Connect, and go back to where the store's disk has all that is before it. Raises: StoreAway."""
        self.store.connect()
        self._in_memory.clear()
        self._suspect_until.clear()
        self._compared_until.clear()
        for tailer in self.tailers.values():
            tailer.go_back(self._places.get(tailer.name, 0))

    def go_round(self, *, ending: bool = False) -> int:
        """Push what is new, once through all logs; gives how many entries. Raises: StoreAway."""
        self._discover()
        batch: Batch = {}
        size, before = 0, self.pushed_entries
        self.behind = False
        for name, tailer in self.tailers.items():
            for _ in range(READS_A_ROUND):
                position = tailer.position
                self._compare(tailer)
                for entry in tailer.entries(time.time(), ending=ending):
                    if entry.text.strip():
                        batch.setdefault(name, []).append(entry)
                        size += len(entry.text) + 100
                if size >= BATCH_BYTES:
                    self._push(batch)
                    batch, size = {}, 0
                if tailer.position == position:
                    break
            else:
                self.behind = True
        if batch:
            self._push(batch)
        self._confirm()
        return self.pushed_entries - before

    def _discover(self) -> None:
        if self._clock() < self._next_discovery:
            return
        self._next_discovery = self._clock() + DISCOVER_SECONDS
        for path in sorted(self._logs.glob("*.log")):
            name = path.name.removesuffix(".log")
            if name not in self.tailers:
                self.tailers[name] = Tailer(name, path, self._places.get(name, 0))

    def _compare(self, tailer: Tailer) -> None:
        """Ask what the store has of the next part of a log, where an earlier connection may have pushed that part."""
        name, position = tailer.name, tailer.position
        if name not in self._suspect_until:
            begins, ends = logfile.span(tailer.path)
            self._suspect_until[name] = ends  # what comes later was never pushed before
            while tailer.position < begins:  # these bytes are in no file any more, and lost unless they were stored
                at, until = tailer.position, min(tailer.position + WINDOW_BYTES, begins)
                tailer.lose(self.store.stored(name, at, until), at, until)
                tailer.position = position = until
        if position < self._suspect_until[name] and position + READ_BYTES > self._compared_until.get(name, 0):
            found = self.store.stored(name, position, position + WINDOW_BYTES)
            tailer.stored = merged(tailer.stored + found)
            self._compared_until[name] = position + WINDOW_BYTES

    def _push(self, batch: Batch) -> None:
        refused = self.store.push(batch)
        if refused:
            self.refused_entries += refused
            log.warning("the log store refuses %d entries for good", refused)
        self.pushed_entries += sum(len(found) for found in batch.values()) - refused
        self._in_memory.append((self._clock(), {name: found[-1].ends for name, found in batch.items()}))

    def _confirm(self) -> None:
        """What was pushed long enough ago, to a store that still lives, is on its disk: remember that."""
        seconds = IN_MEMORY_SECONDS if self.store.kind == "victorialogs" else 0.0
        if not self._in_memory or self._clock() - self._in_memory[0][0] < seconds:
            return
        self.store.require_same_life()
        while self._in_memory and self._clock() - self._in_memory[0][0] >= seconds:
            self._places.update(self._in_memory.popleft()[1])
        try:
            write_file(self._places_file, json.dumps(self._places))
            self._places_told = False
        except OSError as error:
            # A full disk: after a restart more is compared with the store, and nothing else changes.
            if not self._places_told:
                log.warning("cannot keep how far the logs are stored: %s", error)
            self._places_told = True

    def run(self, stop: threading.Event) -> None:
        """Ship the logs until `stop` is set."""
        stop.wait(FIRST_PAUSE_SECONDS)
        failures = 0
        while not stop.is_set():
            try:
                if not self.store.connected:
                    self.connect()
                self.go_round()
                if self.trouble:
                    log.info("the log store answers again")
                self.trouble, failures = "", 0
                stop.wait(0.0 if self.behind else ROUND_SECONDS)
            except StoreAway as error:
                if not self.trouble:
                    log.warning("the log store %s; the files wait", error.what)
                self.trouble = error.what
                stop.wait(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1
            except OSError as error:
                if not self.trouble:
                    log.warning("cannot read a log: %s", error)
                self.trouble = f"cannot read a log: {error}"
                self.store.close()
                stop.wait(RETRY_SECONDS[-1])
        if self.store.connected:
            try:
                self.go_round(ending=True)
            except (StoreAway, OSError) as error:
                log.warning("the last lines wait for the next start: %s", error)


def _read_places(path: Path) -> dict[str, int]:
    """Where each log goes on; empty where that is not known, and the store is asked about everything."""
    try:
        found = json.loads(path.read_text())
        return {str(name): int(place) for name, place in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
