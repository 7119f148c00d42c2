"""The trace id of the request under way, and log lines that carry it.

A service's log is one JSON object per line on stderr: at, level, logger, message, trace_id, and what `extra` adds.
"""

import logging
import re
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import orjson

trace_id: ContextVar[str] = ContextVar("trace_id", default="")

_ACCEPTED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NOT_SHOWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


def accept_trace_id(given: str | None) -> str:
    """The caller's id where it is a plain token of at most 64 characters, else a new one."""
    return given if given and _ACCEPTED.fullmatch(given) else uuid.uuid4().hex


@contextmanager
def traced(given: str) -> Iterator[None]:
    """Give the block that trace id, for work that goes on after its request under the request's id."""
    token = trace_id.set(given)
    try:
        yield
    finally:
        trace_id.reset(token)


class JsonLines(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line; an exception goes into `error` as text."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "trace_id": trace_id.get(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _NOT_SHOWN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_as_json(level: str = "INFO") -> None:
    """Send every logger of this process to stderr as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # the gate logs what matters
