"""Progress of a command that works for long: what a part of Lakeproof logs, and a word where it is silent."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lakeproof.deadline import Deadline

SILENT_SECONDS = 4.0


class Telling(logging.Handler):
    """Inside the `with`, `say` hears each INFO line of the logger `name`, and what is under way every few seconds.

    first: what is said at once; "" for work that may be over before there is anything to say.
    """

    def __init__(
        self, name: str, say: Callable[[str], None], first: str, silent_seconds: float = SILENT_SECONDS
    ) -> None:
        super().__init__(logging.INFO)
        self._logger = logging.getLogger(name)
        self._say, self._last, self._silent_seconds = say, first, silent_seconds
        self._since = Deadline(float("inf"))
        self._over = threading.Event()
        self._beat = threading.Thread(target=self._beats, name="telling", daemon=True)

    def __enter__(self) -> Self:
        self._level, self._propagates = self._logger.level, self._logger.propagate
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        self._logger.addHandler(self)
        if self._last:
            self._tell(self._last)
        self._beat.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._beat.join()
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)
        self._logger.propagate = self._propagates

    def emit(self, record: logging.LogRecord) -> None:
        """One line of the logger."""
        self._last = record.getMessage()
        self._tell(self._last)

    def _beats(self) -> None:
        while not self._over.wait(self._silent_seconds):
            self._tell(f"… still at it, after: {self._last}" if self._last else "… still at it")

    def _tell(self, text: str) -> None:
        self._say(f"[{self._since.elapsed:3.0f} s] {text}")
