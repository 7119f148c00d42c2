"""A service's health: starting (not healthy even once since the start), healthy, or unhealthy.

Each dependency is asked a real question with its own time limit of a second: a database that is stopped (not dead)
must not make the health question hang. Callers that ask at the same time share one look. A question that raises any
error counts as a problem of its dependency, and the others are still asked.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

LIMIT_SECONDS = 1.0

# A question to one dependency. Its answer is "" or what is wrong with the dependency.
type Question = Callable[[], str | Awaitable[str]]


class Health(StrEnum):
    """The words of the stack."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class DependencyHealth:
    """One look at one dependency, which took `seconds`. `problem` is empty where the dependency is healthy."""

    seconds: float
    problem: str = ""


class HealthQuestion:
    """Asks a service's dependencies. `questions`: one for each dependency.

    works_without: dependencies whose trouble is reported while the service still counts as healthy.
    """

    def __init__(
        self,
        questions: Mapping[str, Question],
        *,
        works_without: frozenset[str] = frozenset(),
    ) -> None:
        self._questions, self._works_without = dict(questions), works_without
        self._look: asyncio.Task[dict[str, DependencyHealth]] | None = None
        self._was_healthy = False

    async def ask(self) -> tuple[Health, dict[str, DependencyHealth]]:
        """The service's health and its dependencies', at most LIMIT_SECONDS after the call."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._look_at_all())
        found = await asyncio.shield(self._look)
        if all(not one.problem or name in self._works_without for name, one in found.items()):
            self._was_healthy = True
            return Health.HEALTHY, found
        return (Health.UNHEALTHY if self._was_healthy else Health.STARTING), found

    async def _look_at_all(self) -> dict[str, DependencyHealth]:
        looks = await asyncio.gather(*(self._look_at(question) for question in self._questions.values()))
        return dict(zip(self._questions, looks, strict=True))

    async def _look_at(self, question: Question) -> DependencyHealth:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                answer = question()
                problem = answer if isinstance(answer, str) else await answer
        except TimeoutError:
            problem = f"no answer within {LIMIT_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001 - as above
            problem = str(error) or type(error).__name__
        return DependencyHealth(round(time.perf_counter() - started, 6), problem)
