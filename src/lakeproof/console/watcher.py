"""Reads what pages show in the background, and only while somebody looks: a page never waits for an engine."""

import logging
import threading
import time
from collections.abc import Callable

from lakeproof.errors import LakeproofError

log = logging.getLogger(__name__)

# Reading ends when no page has asked for this long. A page asks every two seconds; hidden tabs ask once a minute.
IDLE_SECONDS = 20.0
# A page waits at most this long for the first answer; after that it is shown without figures.
FIRST_SECONDS = 0.2


class Watcher[T]:
    """Keeps the newest answer of `ask`, which is called every `pause` seconds while `newest` is called now and then.

    `ask` runs in one thread, and only there. Its answer should say what could not be read; where `ask` raises, the
    answer before stays the newest. After `idle` seconds without a call of `newest` the answer is forgotten.
    `first_wait`: seconds for which `newest` waits at most while there is no answer yet.
    """

    def __init__(
        self,
        name: str,
        ask: Callable[[], T],
        pause: float,
        idle: float = IDLE_SECONDS,
        first_wait: float = FIRST_SECONDS,
    ) -> None:
        self._name, self._ask, self._pause, self._idle = name, ask, pause, idle
        self._first_wait = first_wait
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._fresh = threading.Event()
        self._wanted_at = 0.0
        self._answer: T | None = None

    def newest(self) -> T | None:
        """The newest answer; keeps the reading going. Waits at most `first_wait` seconds while there is none yet."""
        with self._lock:
            self._wanted_at = time.monotonic()
            if self._thread is None:
                self._fresh.clear()
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        self._fresh.wait(self._first_wait)
        return self._answer

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self._answer = self._ask()
            except LakeproofError as error:
                log.warning("%s could not look: %s", self._name, error)
            except Exception:
                log.exception("%s could not look", self._name)
            self._fresh.set()
            time.sleep(max(0.1, self._pause - (time.monotonic() - began)))
            with self._lock:
                if time.monotonic() - self._wanted_at > self._idle:
                    # Else whoever looks next would be shown for a moment how the stack was an hour ago.
                    self._thread = self._answer = None
                    return
