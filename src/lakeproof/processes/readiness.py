"""Asks a component its readiness question, and is never blocked by a question that hangs."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lakeproof.errors import LakeproofError
from lakeproof.stack.component import Component
from lakeproof.stack.stack import Stack

GRACE_SECONDS = 3.0  # an answer that is late by more than this counts as missing


@dataclass
class Readiness:
    """Asks one component's `ready` in a thread, one question at a time.

    failures: how many questions in a row failed. last_answer: why the last one failed; empty when it succeeded.
    """

    component: Component
    stack: Stack
    threads: ThreadPoolExecutor
    failures: int = 0
    last_answer: str = "not asked yet"
    _open: asyncio.Future[None] | None = field(default=None, repr=False)

    async def ask(self) -> bool:
        """Ask once. True when the component answered; an error of any kind counts as a failure with its reason.

        A question that hangs beyond its time is left to its thread. Until it returns, each `ask` counts as failed.
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
        """Count one more failure in a row, and keep what was seen. Always gives False."""
        self.failures += 1
        self.last_answer = " ".join(answer.split())[:300]
        return False


def _forget(question: asyncio.Future[None]) -> None:
    """Take the late answer's error, so that asyncio does not report it as never retrieved."""
    if not question.cancelled():
        question.exception()
