"""Asking a component its readiness question without ever being held up by it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lakeproof.errors import LakeproofError
from lakeproof.stack.component import Component
from lakeproof.stack.stack import Stack

GRACE_SECONDS = 3.0  # beyond what `ready` is given, the answer counts as missing


@dataclass
class Readiness:
    """One component's question: asked in a thread, one at a time, counted.

    `failures` in a row and the `last_answer` (empty when it was ready).
    """

    component: Component
    stack: Stack
    threads: ThreadPoolExecutor
    failures: int = 0
    last_answer: str = "not asked yet"
    _open: asyncio.Future[None] | None = field(default=None, repr=False)

    async def ask(self) -> bool:
        """Ask once. True when it answered; any error, of whatever kind, is a "no" with its reason.

        A question that hangs beyond its time is left to its thread and counts as failed until it returns.
        """
        if self._open is not None and not self._open.done():
            return self.count_failure(self.last_answer)
        loop, given = asyncio.get_running_loop(), self.component.answer_seconds
        self._open = loop.run_in_executor(self.threads, self.component.ready, self.stack, given)
        try:
            await asyncio.wait_for(asyncio.shield(self._open), given + GRACE_SECONDS)
        except TimeoutError:
            if self._open.done():
                return self.count_failure("the question timed out")
            self._open.add_done_callback(_forget)
            return self.count_failure(f"no answer within {given + GRACE_SECONDS:.0f} s")
        except LakeproofError as error:
            return self.count_failure(error.what)
        except Exception as error:  # noqa: BLE001 - a component's question must not end the daemon
            return self.count_failure(f"{type(error).__name__}: {error}")
        self.failures, self.last_answer = 0, ""
        return True

    def count_failure(self, answer: str) -> bool:
        """One more failure in a row, and what was seen. Always False."""
        self.failures += 1
        self.last_answer = " ".join(answer.split())[:300]
        return False


def _forget(question: asyncio.Future[None]) -> None:
    """Take the late answer's error, so that asyncio does not report it as never retrieved."""
    if not question.cancelled():
        question.exception()
