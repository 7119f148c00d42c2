"""Many probes at once: none may hold up or hide another."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

import pytest
from tests.doubles.plugins import OURS

from lakeproof.errors import CouldNotLook
from lakeproof.probes import looking
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import ANSWERS, SILENT, liveness
from lakeproof.probes.looking import Observation, look_once, observe
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.probes.reading import Reading, Value
from lakeproof.stack import postgres_session

STACK: Any = None


def probe(name: str, answer: Value = 1, error: Exception | None = None, waits: Callable[[], object] = bool) -> Probe:
    """A probe that first waits, then answers or fails."""

    def ask(stack: object, timeout: float) -> Value:
        waits()
        if error is not None:
            raise error
        return answer

    return Probe(name, "somewhere", "?", "", ask, Condition(Operator.IS, 1))


def test_a_failing_probe_gives_a_reading_with_its_error() -> None:
    for error in (CouldNotLook("gone"), ConnectionRefusedError("refused")):
        reading = probe("a", error=error).look(STACK)
        assert reading.value is None
        assert not reading.answered


def test_probes_are_asked_at_the_same_time() -> None:
    all_have_begun = threading.Barrier(10)  # no probe goes on before the tenth is asked
    asked = [probe(f"p{number}", waits=lambda: all_have_begun.wait(60)) for number in range(10)]
    found = look_once(STACK, asked, timeout=60)
    assert {reading.value for reading in found.values()} == {1}


def test_a_probe_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait_once_one_has_answered(futures: Iterable[Future[Reading]], timeout: float) -> object:
        wait(futures, timeout=60, return_when=FIRST_COMPLETED)  # the quick one, however busy the machine is
        return wait(futures, timeout=timeout)

    monkeypatch.setattr(looking, "wait", wait_once_one_has_answered)
    over = threading.Event()
    try:
        found = look_once(STACK, [probe("slow", waits=over.wait), probe("quick")], timeout=0.05)
    finally:
        over.set()
    assert found["quick"].value == 1
    assert "no answer within" in str(found["slow"].error)


def counting(name: str) -> Probe:
    """A probe that answers 1, then 2."""
    answers = iter([1, 2])
    return Probe(name, "somewhere", "?", "", lambda stack, timeout: next(answers))


def test_only_what_is_wanted_again_is_read_twice() -> None:
    seen = observe(STACK, [counting("c"), counting("d")], lambda first: {"c"}, pause_seconds=0)
    assert (seen["c"].first.value, seen["c"].second.value) == (1, 2)
    assert seen["c"].holds(Condition(Operator.GROWS)) is True
    assert (seen["d"].first.value, seen["d"].second.value) == (1, 1)


def test_where_no_second_reading_is_wanted_nobody_waits_for_one() -> None:
    an_hour = 3600.0
    seen = observe(STACK, [counting("c")], lambda first: (), pause_seconds=an_hour)["c"]
    assert seen.first.value == 1


@pytest.fixture
def late() -> Iterator[str]:
    """The address of a server that answers any question after 0.8 s."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as pool:

        def answer(asking: socket.socket) -> None:
            with asking:
                asking.recv(4096)
                time.sleep(0.8)
                with suppress(OSError):  # who asked may have gone
                    asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        def serve() -> None:
            with suppress(OSError):  # the socket is closed at the end
                while True:
                    pool.submit(answer, listening.accept()[0])

        pool.submit(serve)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        listening.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("full", "second"), [(True, ANSWERS), (False, SILENT)])
def test_on_full_processors_what_answers_late_is_not_taken_for_hung(late: str, full: bool, second: str) -> None:
    ask = Probe("late", "somewhere", "?", "", lambda stack, timeout: liveness(late, timeout))
    seen = observe(STACK, [ask], lambda first: {"late"}, timeout=0.3, pause_seconds=0, full=lambda: full)["late"]
    assert (seen.first.value, seen.second.value) == (SILENT, second)


def test_on_full_processors_what_hangs_is_silent_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "PATIENT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as accepts_and_says_nothing:
        url = f"http://127.0.0.1:{accepts_and_says_nothing.getsockname()[1]}/"
        ask = Probe("hung", "somewhere", "?", "", lambda stack, timeout: liveness(url, timeout))
        seen = observe(STACK, [ask], lambda first: {"hung"}, timeout=0.3, pause_seconds=0, full=lambda: True)["hung"]
    assert seen.holds(Condition(Operator.IS, SILENT)) is True


def test_what_hangs_is_asked_a_second_time_beside_the_first_and_has_both_readings() -> None:
    both_ask = threading.Barrier(2)  # neither question goes on before the other one is asked too
    told = probe("hung", error=CouldNotLook("gone"), waits=lambda: both_ask.wait(60))
    seen = observe(STACK, [told, probe("well")], lambda first: {"hung", "well"}, timeout=60, full=lambda: False)
    assert not seen["hung"].first.answered
    assert not seen["hung"].second.answered
    assert seen["hung"].out_of_range
    gap = seen["well"].second.at - seen["well"].first.at
    assert gap.total_seconds() >= looking.PAUSE_SECONDS


def test_what_answers_late_is_asked_again_after_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "LATE_SECONDS", 0.1)
    begun = threading.Semaphore(0)
    answers = iter(range(1, 10))

    def ask(stack: object, timeout: float) -> Value:
        """The first question waits until the second one has been asked beside it."""
        mine = next(answers)
        if mine == 1:
            begun.acquire(timeout=60)
        begun.release()
        return mine

    late = Probe("late", "somewhere", "?", "", ask)
    seen = observe(STACK, [late], lambda first: {"late"}, timeout=60, pause_seconds=0.2, full=lambda: False)["late"]
    assert (seen.first.value, seen.second.value) == (1, 3)
    assert (seen.second.at - seen.first.at).total_seconds() >= 0.2


def test_a_late_answer_that_is_out_of_range_is_not_asked_for_a_third_time() -> None:
    """As a component's own health question has it: "no answer: ReadTimeout", in words."""
    both_ask = threading.Barrier(2)  # a third one would wait in vain
    told = probe("ready", answer="no answer: ReadTimeout", waits=lambda: both_ask.wait(5))
    seen = observe(STACK, [told], lambda first: {"ready"}, timeout=60, full=lambda: False)["ready"]
    assert seen.first.value == seen.second.value == "no answer: ReadTimeout"


def test_an_error_that_comes_at_once_is_asked_again_after_the_pause() -> None:
    refused = probe("refused", error=CouldNotLook("refused"))
    seen = observe(STACK, [refused], lambda first: {"refused"}, pause_seconds=0.3, full=lambda: False)["refused"]
    assert (seen.second.at - seen.first.at).total_seconds() >= 0.3


def test_a_late_postgresql_is_given_as_long_as_a_second_question_takes() -> None:
    assert postgres_session.CONNECT_SECONDS >= looking.PATIENT_SECONDS


def test_out_of_range_needs_both_readings() -> None:
    well, ill = probe("p", 1), probe("p", 2)
    lost = probe("p", error=CouldNotLook("gone"))
    assert not Observation(well, well.look(STACK), ill.look(STACK)).out_of_range
    assert Observation(well, ill.look(STACK), ill.look(STACK)).out_of_range
    assert Observation(well, lost.look(STACK), lost.look(STACK)).out_of_range


def test_every_probe_says_what_a_person_could_type() -> None:
    for known in all_probes(OURS).values():
        assert known.query
        assert known.source


def test_a_driver_whose_modules_import_each_other_is_loaded_before_several_threads_do() -> None:
    """In a process of its own: here the driver is loaded already."""
    script = (
        "import sys; from lakeproof.probes.looking import look_once; from lakeproof.probes.probe import Probe;"
        "from lakeproof.stack.settings import Settings; from lakeproof.stack.stack import Stack\n"
        "def probe(source): return Probe(source, source, '', '', lambda *_: 'psycopg.errors' in sys.modules)\n"
        "assert 'psycopg' not in sys.modules\n"
        "for source in ('mysql', 'postgres'):\n"
        "    print(look_once(Stack(Settings()), [probe(source)])[source].value)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["False", "True"], done.stderr
