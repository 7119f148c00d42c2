"""Lets a process kill itself at a place that a test names, as `kill -9` would: nothing is flushed or closed."""

import logging
import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from starlette.routing import compile_path

logger = logging.getLogger(__name__)


def warn_of_crash(setting: str, where: str) -> None:
    """Warn at a service's start that a setting makes it kill itself: the setting is for tests alone."""
    if where:
        logger.warning("%s is set, for tests: this service will kill itself at %r", setting, where)


def crash(where: str) -> None:
    """Kill this process. `where`: for the log."""
    logger.warning("crash on purpose", extra={"where": where})
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class RequestCrash:
    """The place where a request kills its service: "before" any work, or "after" all work but before the answer."""

    when: Literal["before", "after"]
    method: str
    path: re.Pattern[str]

    @classmethod
    def named(cls, text: str) -> "RequestCrash | None":
        """The place that `shop.crash_at` names: "after POST /payments/{payment_id}/capture"; None for ""."""
        if not text:
            return None
        when, method, template = text.split(" ")
        assert when in ("before", "after")  # the settings let nothing else in
        return cls("before" if when == "before" else "after", method, compile_path(template)[0])

    def reached(self, when: Literal["before", "after"], scope: Mapping[str, Any]) -> None:
        """The gate calls this for each request. At the named place it kills the process and does not return."""
        if when == self.when and scope["method"] == self.method and self.path.match(scope["path"]):
            crash(f"{when} {self.method} {scope['path']}")
