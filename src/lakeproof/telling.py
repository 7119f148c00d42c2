"""Progress of a command that works for long: what a part of Lakeproof logs, and a regular word that work goes on."""

import logging
import threading
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self

from lakeproof.deadline import Deadline

SILENT_SECONDS = 4.0
# Logger's name → level and propagation that it had before the first Telling listened to it.
_BEFORE: dict[str, tuple[int, bool]] = {}
_LOCK = threading.Lock()


class Telling(logging.Handler):
    """Inside the `with`, `say` gets each INFO line of the logger `name`, and every few seconds what is under way.

    first: said at once; "" for work that may be over before there is anything to say.
    what: names the work for as long as nothing was logged.
    also: further loggers, none of them a child of another one.
    """

    def __init__(
        self,
        name: str,
        say: Callable[[str], None],
        first: str,
        silent_seconds: float = SILENT_SECONDS,
        *,
        what: str = "",
        also: Collection[str] = (),
    ) -> None:
        super().__init__(logging.INFO)
        self._loggers = [logging.getLogger(each) for each in (name, *also)]
        self._say, self._last, self._silent_seconds, self._what = say, first, silent_seconds, what
        self._since = Deadline(float("inf"))
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._beats, name="telling", daemon=True)

    def __enter__(self) -> Self:
        with _LOCK:
            for logger in self._loggers:
                if not any(isinstance(one, Telling) for one in logger.handlers):
                    _BEFORE[logger.name] = logger.level, logger.propagate
                logger.setLevel(logging.INFO)
                logger.propagate = False
                logger.addHandler(self)
        if self._last:
            self._tell(self._last)
        self._beat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._beat.join()
        with _LOCK:
            for logger in self._loggers:
                logger.removeHandler(self)
                if not any(isinstance(one, Telling) for one in logger.handlers):
                    level, logger.propagate = _BEFORE.pop(logger.name)
                    logger.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on one line that a logger got."""
        self._last = record.getMessage()
        self._tell(self._last)

    def _beats(self) -> None:
        while not self._over.wait(self._silent_seconds):
            self._tell(f"… still at it, after: {self._last}" if self._last else f"… still at it: {self._what}")

    def _tell(self, text: str) -> None:
        self._say(f"[{self._since.elapsed:3.0f} s] {text}")
