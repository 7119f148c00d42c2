"""Asking a component's question."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from lakeproof.errors import NotReady
from lakeproof.processes import readiness
from lakeproof.processes.readiness import Readiness
from lakeproof.stack.component import Command, Component
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def asking(ready: Callable[[Stack, float], None], answer_seconds: float = 2.0) -> Readiness:
    component = Component(
        name="x",
        kind="service",
        command=lambda stack: Command(("true",)),
        ready=ready,
        answer_seconds=answer_seconds,
    )
    return Readiness(component, Stack(Settings()), ThreadPoolExecutor(2))


async def test_failures_in_a_row_are_counted_and_forgotten_by_an_answer() -> None:
    answers = iter([NotReady("not yet"), KeyError("bug"), None])

    def ready(stack: Stack, timeout: float) -> None:
        error = next(answers)
        if error is not None:
            raise error

    question = asking(ready)
    assert not await question.ask()
    assert (question.failures, question.last_answer) == (1, "not yet")
    assert not await question.ask()
    assert (question.failures, question.last_answer) == (2, "KeyError: 'bug'")
    assert await question.ask()
    assert (question.failures, question.last_answer) == (0, "")


async def test_a_question_that_hangs_counts_as_failed_and_is_not_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "GRACE_SECONDS", 0.02)
    gate, calls = threading.Event(), []

    def ready(stack: Stack, timeout: float) -> None:
        calls.append(timeout)
        gate.wait(60)

    question = asking(ready, answer_seconds=0.02)
    assert not await question.ask()
    assert not await question.ask()
    assert question.failures == 2 and calls == [0.02]
    gate.set()
