"""A process that kills itself where a test says so, as `kill -9` would: nothing is finished, flushed or closed."""

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
    """The end. `where`: for the log."""
    logger.warning("crash on purpose", extra={"where": where})
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class RequestCrash:
    """Where a request ends its service: "before" anything is done, or "after" all of it, before the answer leaves."""

    when: Literal["before", "after"]
    method: str
    path: re.Pattern[str]

    @classmethod
    def named(cls, text: str) -> "RequestCrash | None":
        """What `shop.crash_at` says: "after POST /payments/{payment_id}/capture"; "" is nowhere."""
        if not text:
            return None
        when, method, template = text.split(" ")
        assert when in ("before", "after")  # the settings let nothing else in
        return cls("before" if when == "before" else "after", method, compile_path(template)[0])

    def reached(self, when: Literal["before", "after"], scope: Mapping[str, Any]) -> None:
        """Called by the gate; where it is the place, this does not return."""
        if when == self.when and scope["method"] == self.method and self.path.match(scope["path"]):
            crash(f"{when} {self.method} {scope['path']}")
