"""One round of questions: what several probes ask alike is asked once, and all of them get the same answer.

A dozen probes read Flink's list of jobs, three read one connector's status. On a machine with two cores the same
question asked a dozen times at the same moment is the larger part of the time that a look takes.
"""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any


class Round:
    """The answers of one round. An answer is kept for this round only, and an error as well."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[Hashable, Future[Any]] = {}

    def begin(self) -> None:
        """From now on the questions of this thread belong to this round."""
        _current.set(self)

    def once[T](self, key: Hashable, ask: Callable[[], T]) -> T:
        """What `ask` gives; a later call with the same key waits for that answer. Raises: what `ask` raised."""
        with self._lock:
            begun = key in self._answers
            answer: Future[T] = self._answers.setdefault(key, Future())
        if not begun:
            try:
                answer.set_result(ask())
            except BaseException as error:
                answer.set_exception(error)
                raise
        return answer.result()


_current: ContextVar[Round | None] = ContextVar("round", default=None)


def once[T](key: Hashable, ask: Callable[[], T]) -> T:
    """What `ask` gives, asked once in this thread's round; outside of a round asked each time."""
    current = _current.get()
    return ask() if current is None else current.once(key, ask)
