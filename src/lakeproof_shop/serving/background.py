"""Work that a service does beside its requests. Where it ended by itself, the log says why and /health says so."""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

logger = logging.getLogger(__name__)


class Background:
    """Tasks by name, all started here, inside the event loop. None of them is meant to end before `stop`."""

    def __init__(self, works: Mapping[str, Coroutine[Any, Any, None]]) -> None:
        self._tasks = [asyncio.create_task(work, name=name) for name, work in works.items()]
        for task in self._tasks:
            task.add_done_callback(_log_end)

    @property
    def ended(self) -> str:
        """ "" or the tasks that have ended, for /health: the service is then unhealthy."""
        names = [task.get_name() for task in self._tasks if task.done()]
        return f"ended: {', '.join(names)}" if names else ""

    async def stop(self, grace_seconds: float = 0.0) -> None:
        """Wait `grace_seconds` for tasks that were told to end, then cancel the rest. Drops what the tasks raised."""
        if grace_seconds and self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _log_end(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("a part of the service ended", exc_info=error, extra={"part": task.get_name()})
