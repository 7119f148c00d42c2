import threading

from lakeproof.console.watcher import Watcher
from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook


def runs(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_nobody_is_asked_before_somebody_looks_nor_after_the_last_one_went() -> None:
    asked = threading.Event()

    def ask() -> int:
        asked.set()
        return 7

    watcher = Watcher("until nobody looks", ask, pause=0.1, idle=1.0, first_wait=10)
    assert not runs("until nobody looks") and not asked.is_set()
    assert watcher.newest() == 7
    Deadline(20).wait_for("its end", lambda: None if runs("until nobody looks") else True, every=0.02)
    asked.clear()
    assert watcher.newest() == 7 and asked.is_set()


def test_a_page_does_not_wait_for_an_answer_that_takes_long() -> None:
    held, asked = threading.Event(), threading.Event()

    def ask() -> bool:
        asked.set()
        return held.wait(30)

    watcher = Watcher("test", ask, pause=0.1, idle=20, first_wait=0.01)
    assert watcher.newest() is None
    assert asked.wait(10)
    held.set()
    assert Deadline(20).wait_for("the answer", watcher.newest, every=0.02) is True


def test_the_answer_before_stays_where_a_look_fails() -> None:
    answers, failed = iter([1]), threading.Event()

    def ask() -> int:
        for answer in answers:
            return answer
        failed.set()
        raise CouldNotLook("no answer")

    watcher = Watcher("test", ask, pause=0.1, idle=20, first_wait=10)
    assert watcher.newest() == 1
    assert failed.wait(20)
    assert watcher.newest() == 1


def test_who_comes_back_later_is_not_shown_how_things_were_then() -> None:
    held = threading.Event()
    held.set()

    def ask() -> bool:
        return held.wait(30)

    watcher = Watcher("until later", ask, pause=0.1, idle=1.0, first_wait=2.0)
    assert watcher.newest() is True
    Deadline(20).wait_for("its end", lambda: None if runs("until later") else True, every=0.02)
    held.clear()
    assert watcher.newest() is None
    held.set()
