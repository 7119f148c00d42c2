"""A long command is never silent: it says what it begins, what it did, and that it is still at it."""

import logging
import threading

import pytest

from lakeproof.telling import Telling

NAME = "lakeproof.test.telling"


def test_it_says_the_first_step_and_each_logged_one_and_leaves_the_logger_as_it_was() -> None:
    said: list[str] = []
    with Telling(NAME, said.append, "planning", silent_seconds=60):
        logging.getLogger(f"{NAME}.part").info("stopped %s", "the job")
    logging.getLogger(NAME).info("nobody hears this")
    assert said == ["[  0 s] planning", "[  0 s] stopped the job"]
    assert logging.getLogger(NAME).level == logging.NOTSET and logging.getLogger(NAME).propagate


def test_it_hears_further_loggers_and_leaves_them_as_they_were() -> None:
    said: list[str] = []
    with Telling(f"{NAME}.one", said.append, "", silent_seconds=60, also=(f"{NAME}.other",)):
        logging.getLogger(f"{NAME}.one").info("first")
        logging.getLogger(f"{NAME}.other.part").info("second")
    assert said == ["[  0 s] first", "[  0 s] second"]
    assert logging.getLogger(f"{NAME}.other").level == logging.NOTSET
    assert logging.getLogger(f"{NAME}.other").propagate


def test_it_says_that_it_is_still_at_it() -> None:
    heard = threading.Event()

    def say(text: str) -> None:
        if "still at it, after: planning" in text:
            heard.set()

    with Telling(NAME, say, "planning", silent_seconds=0.01):
        assert heard.wait(60)


def test_it_says_nothing_of_work_that_is_over_at_once() -> None:
    said: list[str] = []
    with Telling(NAME, said.append, "", silent_seconds=60):
        pass
    assert not said


def test_without_a_first_word_it_still_says_that_it_is_at_it() -> None:
    heard = threading.Event()
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        heard.set()

    with Telling(NAME, say, "", silent_seconds=0.01, what="scaling"):
        assert heard.wait(60)
    assert said[0] == "[  0 s] … still at it: scaling"


def test_two_at_once_both_hear_and_the_logger_is_as_before_once_both_are_over() -> None:
    first, second = list[str](), list[str]()
    one, other = (Telling(NAME, heard.append, "", silent_seconds=60) for heard in (first, second))
    with one:
        other.__enter__()
    logging.getLogger(NAME).info("half-way")
    other.__exit__(None, None, None)
    logging.getLogger(NAME).info("nobody hears this")
    assert (first, second) == ([], ["[  0 s] half-way"])
    assert logging.getLogger(NAME).level == logging.NOTSET and logging.getLogger(NAME).propagate


def test_an_error_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), Telling(NAME, lambda text: None, "planning"):
        raise ZeroDivisionError
    assert not logging.getLogger(NAME).handlers
