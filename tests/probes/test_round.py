"""What several probes of one look ask alike is asked once."""

import threading
from typing import Any

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.probes.looking import look_once
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Value
from lakeproof.probes.round import Round, once

STACK: Any = None


class Server:
    """Counts how often it is asked, and answers with that number."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked, self.error = 0, error
        self._lock = threading.Lock()

    def answer(self) -> int:
        with self._lock:
            self.asked += 1
        if self.error is not None:
            raise self.error
        return self.asked

    def probes(self, count: int) -> list[Probe]:
        """That many probes, which all ask the same, and at the same time."""
        together = threading.Barrier(count)

        def ask(stack: object, timeout: float) -> Value:
            together.wait(60)
            return once("the question", self.answer)

        return [Probe(f"p{number}", "somewhere", "?", "", ask) for number in range(count)]


def test_one_look_asks_once_and_the_next_look_anew() -> None:
    server = Server()
    probes = server.probes(5)
    assert {reading.value for reading in look_once(STACK, probes).values()} == {1}
    assert {reading.value for reading in look_once(STACK, probes).values()} == {2}


def test_an_error_is_everybodys() -> None:
    server = Server(CouldNotLook("gone"))
    found = look_once(STACK, server.probes(5))
    assert [reading.answered for reading in found.values()] == [False] * 5
    assert server.asked == 1


def test_outside_of_a_round_each_question_is_asked() -> None:
    server = Server()
    assert [once("the question", server.answer) for _ in range(2)] == [1, 2]


def test_other_questions_have_answers_of_their_own() -> None:
    found = Round()
    assert (found.once("a", lambda: 1), found.once("b", lambda: 2), found.once("a", lambda: 3)) == (1, 2, 1)
    with pytest.raises(CouldNotLook):
        found.once("c", Server(CouldNotLook("gone")).answer)
