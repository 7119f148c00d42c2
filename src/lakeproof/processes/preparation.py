"""Runs a component's `prepare` and `command` in a thread, one run at a time, so that they cannot block the daemon."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from lakeproof.errors import TransientError
from lakeproof.stack.component import Command, Component
from lakeproof.stack.stack import Stack

PREPARE_SECONDS = 250.0


class PrepareFailed(TransientError):
    """`prepare` hung, or the operating system refused it something."""


class Preparation:
    """Runs one component's `prepare`."""

    def __init__(self, component: Component, stack: Stack, threads: ThreadPoolExecutor) -> None:
        self._component, self._stack, self._threads = component, stack, threads
        self._job: asyncio.Future[Command] | None = None

    async def run(self) -> Command:
        """Prepare, and give the command to start. Waits first for the thread of a run that was cancelled.

        Raises: PrepareFailed, and what the component itself raises.
        """
        if self._job is not None and not self._job.done():
            await asyncio.wait({self._job}, timeout=PREPARE_SECONDS)
            if not self._job.done():
                raise PrepareFailed("an earlier prepare still runs")
        self._job = job = asyncio.get_running_loop().run_in_executor(self._threads, self._work)
        try:
            return await asyncio.wait_for(asyncio.shield(job), PREPARE_SECONDS)
        except TimeoutError:
            raise PrepareFailed(f"prepare did not end within {PREPARE_SECONDS:.0f} s") from None
        except OSError as error:
            raise PrepareFailed(f"prepare failed: {error}") from error

    def _work(self) -> Command:
        if self._component.prepare is not None:
            self._component.prepare(self._stack)
        return self._component.command(self._stack)
