"""Shoppers in a process of their own, for callers with other work to do meanwhile: a drill, a benchmark, a test.

A thread is not enough. Python runs one thread of a process at a time, so a thread that computes (a diagnosis, a
comparison of rows) holds up the shoppers' event loop for seconds. They then give up connections that the shop had
accepted long ago, and a healthy shop is counted as one that refused them.
"""

import contextlib
import functools
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, TerminalError
from lakeproof.processes.environment import RUN_ID, importing_from
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.handle import STOP_AGAIN_SECONDS
from lakeproof_shop.customers.shoppers.report import Counts, TrafficReport
from lakeproof_shop.customers.shoppers.traffic import SETTLE_LIMIT_SECONDS, Traffic, new_run, of_stack

ANSWER_SECONDS = 30.0  # the first answer waits for the interpreter's start
END_SECONDS = 5.0
CHILD = "lakeproof_shop.customers.shoppers.child"


@dataclass(frozen=True)
class Question:
    """settle_seconds: stop, and settle for this long; None: give the counts. number: the answer carries it too."""

    number: int
    settle_seconds: float | None = None


@dataclass(frozen=True)
class Answer:
    """value: Counts, or a TrafficReport where the question was to stop. error: why there is no value."""

    number: int
    value: Any = None
    error: BaseException | None = None


class ShoppersProcess:
    """Shoppers who buy until `stop`. They go on through outages; only a ledger that cannot be written stops them.

    Their process ends when this one does, however this one ends: then the pipe between them closes. Ctrl-C does not
    reach the shoppers' process, because it is not in the terminal's foreground group.
    """

    def __init__(self, run: str, make: Callable[[], Traffic], modules: Path | None = None) -> None:
        """make: makes the run's traffic in the shoppers' process; it must be picklable.

        modules: the folder of the modules that `make` needs, where they are not installed.
        """
        self.run = run
        self._connection, theirs = Pipe()
        self._lock, self._numbers = threading.Lock(), itertools.count(1)
        self._report: TrafficReport | None = None
        self._error: BaseException | None = None
        # -P: modules in the working folder are not imported. A new session also has its own share of the processors.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", CHILD, str(theirs.fileno())],
            env=_environment(modules),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        with contextlib.suppress(OSError):  # the process has ended already: the first question reports that
            self._connection.send(make)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def counts(self) -> Counts:
        """The counts now. Raises: what stopped the shoppers (LedgerBroken, InvalidInput where the run has a ledger
        already), TerminalError where their process ended, DeadlineExpired where it does not answer.
        """
        if self._report is not None:
            return self._report.counts
        counts: Counts = self._ask(None, ANSWER_SECONDS)
        return counts

    def stop(self, settle_seconds: float = SETTLE_LIMIT_SECONDS) -> TrafficReport:
        """Send nothing new, settle unclear calls within `settle_seconds` (SETTLE_LIMIT_SECONDS at most), and report.
        Safe to repeat. After a Ctrl-C during this call the shoppers go on; the second call then ends the settling.

        Raises: as `counts`.
        """
        if self._report is not None:
            return self._report
        try:
            self._report = self._ask(settle_seconds, settle_seconds + STOP_AGAIN_SECONDS + ANSWER_SECONDS)
        except Exception:
            self._end()
            raise
        self._end()
        assert self._report is not None
        return self._report

    def _ask(self, settle_seconds: float | None, limit: float) -> Any:
        with self._lock:
            if self._error is not None:
                raise self._error
            try:
                answer = self._exchange(Question(next(self._numbers), settle_seconds), Deadline(limit))
            except (EOFError, OSError):
                self._error = TerminalError(
                    f"their process ended by itself ({self._end()})",
                    where=f"shoppers of run {self.run}",
                    next_action="what they had not settled is settled by the next `lakeproof check`",
                )
                raise self._error from None
            if answer.error is not None:
                self._error = answer.error
                raise self._error
            return answer.value

    def _exchange(self, question: Question, deadline: Deadline) -> Answer:
        self._connection.send(question)
        while self._connection.poll(deadline.left):
            answer: Answer = self._connection.recv()
            if answer.number == question.number:  # else a late answer to a question that was given up
                return answer
        raise DeadlineExpired(
            "the shoppers' process does not answer",
            last_seen="running" if self._process.poll() is None else f"ended, code {self._process.returncode}",
            where=f"pid {self.pid}",
        )

    def _end(self) -> str:
        """End the process; gives how it ended, in words."""
        self._connection.close()
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return f"code {code}" if code >= 0 else f"signal {-code}"


def _environment(modules: Path | None) -> dict[str, str]:
    """The environment of the shoppers' process. modules: as in ShoppersProcess."""
    # Without RUN_ID: else `lakeproof down` would end the process before it has given its report.
    own = {name: value for name, value in os.environ.items() if name != RUN_ID}
    return own if modules is None else importing_from(modules, own)


def start(
    stack: Stack,
    rate: float,
    seed: int,
    run: str | None = None,
    base_url: str | None = None,
    purchases: float = 0.0,
) -> ShoppersProcess:
    """Let shoppers buy until `stop`. purchases: how many per second at the checkout. Raises: InvalidInput."""
    make = functools.partial(of_stack, stack, rate, seed, run or new_run(seed), base_url, purchases)
    return ShoppersProcess(make().run, make)  # made here too, so that an invalid argument is refused here
