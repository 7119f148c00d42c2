"""Work that a service does beside its requests. Where it ended by itself, the log says why and /health says so."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

logger = logging.getLogger(__name__)


class Background:
    """Begun together, by name; made within the event loop. Nothing here is meant to end before `stop`."""

    def __init__(self, works: Mapping[str, Coroutine[Any, Any, None]]) -> None:
        self._tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        for task in self._tasks:
            task.add_done_callback(_log_end)

    @property
    def ended(self) -> str:
        """ "" or what does not run any more. For a health question that a service does not work without."""
        names = [task.get_name() for task in self._tasks if task.done()]
        return f"ended: {', '.join(names)}" if names else ""

    async def stop(self, grace_seconds: float = 0.0) -> None:
        """Wait so long for an end that the work was asked for, then end what is left; never raises what ended it."""
        if grace_seconds and self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _log_end(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a part of the service ended", exc_info=error, extra={"part": task.get_name()})
