"""Asking many probes at once, and after a pause those again whose second reading can tell anything."""

import time
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module

from lakeproof.probes.condition import Condition
from lakeproof.probes.probe import TIMEOUT_SECONDS, Probe
from lakeproof.probes.reading import Reading
from lakeproof.probes.round import Round
from lakeproof.processes.pressure import processors_are_full
from lakeproof.stack.stack import Stack

# Between the two readings of a probe.
PAUSE_SECONDS = 2.0
# A probe without an answer after this time is asked a second time while the first question still waits. So a process
# that hangs is recognised within five seconds, in four and a half of which it gave no answer.
LATE_SECONDS = 1.5
# Drivers to import before threads ask, by the component that is asked. Their modules import each other: of several
# threads that load one, one may see half of it (psycopg 3.3 on Python 3.12.1: "partially initialized module").
DRIVERS = {"postgres": ("psycopg",)}
# The timeout of second readings where this machine's processors are full. A process that hangs stays silent for so
# long too; one that is only late answers. (Which clients give up sooner by themselves stands in docs/decisions/0039.)
PATIENT_SECONDS = 9.0


type Again = Callable[[Mapping[str, Reading]], Collection[str]]
"""Which probes to ask a second time, by their ids, once their first readings are known."""


@dataclass(frozen=True)
class Observation:
    """Two readings of one probe, some seconds apart; of a probe that was asked once, the same reading twice."""

    probe: Probe
    first: Reading
    second: Reading

    def holds(self, condition: Condition) -> bool | None:
        """As Condition.holds: None means that it could not be looked at."""
        return condition.holds(self.first, self.second)

    @property
    def answered(self) -> bool:
        """True where both readings had an answer."""
        return self.first.answered and self.second.answered

    @property
    def is_steady(self) -> bool:
        """True where only somebody's act brings the newer answer about (Probe.steady)."""
        return self.probe.is_steady(self.second.value)

    @property
    def out_of_range(self) -> bool:
        """True where no reading of the two was healthy, or none had an answer."""
        if self.probe.healthy is None:
            return False
        fine = (self.probe.healthy.holds(reading, reading) for reading in (self.first, self.second))
        return all(value is not True for value in fine)


def look_once(stack: Stack, probes: Iterable[Probe], timeout: float = TIMEOUT_SECONDS) -> dict[str, Reading]:
    """One reading of each probe, all asked at the same time; ends after `timeout` + 1 seconds at the latest."""
    return _Questions(stack, probes, timeout).readings()


class _Questions:
    """Probes that are asked side by side, each in a thread of its own.

    not_before: probe id → when to ask it; the others are asked at once. asked: probe id → its answer to come.
    """

    def __init__(
        self,
        stack: Stack,
        probes: Iterable[Probe],
        timeout: float,
        not_before: Mapping[str, datetime] | None = None,
    ) -> None:
        self._probes = {probe.id: probe for probe in probes}
        self._timeout = timeout
        self.asked: dict[str, Future[Reading]] = {}
        self._ends = 0.0
        if not self._probes:
            return
        for component in {probe.source for probe in self._probes.values()} & DRIVERS.keys():
            for driver in DRIVERS[component]:
                import_module(driver)
        now = datetime.now(UTC)
        delays = {name: max(0.0, (due - now).total_seconds()) for name, due in (not_before or {}).items()}

        def ask(probe: Probe) -> Reading:
            time.sleep(delays.get(probe.id, 0.0))
            return probe.look(stack, timeout)

        threads = len(self._probes)
        pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="probe", initializer=Round().begin)
        self.asked = {name: pool.submit(ask, probe) for name, probe in self._probes.items()}
        # Threads that still wait on a dead socket end by their own timeout; nobody waits for them.
        pool.shutdown(wait=False)
        self._ends = time.monotonic() + max(delays.values(), default=0.0) + timeout + 1

    def open_after(self, seconds: float) -> list[Probe]:
        """The probes without an answer, once all have answered or this many seconds are over."""
        wait(self.asked.values(), timeout=seconds)
        return [probe for name, probe in self._probes.items() if not self.asked[name].done()]

    def readings(self, names: Container[str] | None = None) -> dict[str, Reading]:
        """Probe id → answer, of these or of all; waits until a second after the longest time to answer is over."""
        probes = {name: probe for name, probe in self._probes.items() if names is None or name in names}
        wait([self.asked[name] for name in probes], timeout=max(0.0, self._ends - time.monotonic()))
        return {
            name: self.asked[name].result()
            if self.asked[name].done()
            else probe.reading(None, f"no answer within {self._timeout:.0f} s")
            for name, probe in probes.items()
        }


def _is_well(probe: Probe, reading: Reading) -> bool:
    """True where the probe answered, and not with a value that is out of range."""
    return reading.answered and not Observation(probe, reading, reading).out_of_range


def observe(
    stack: Stack,
    probes: Iterable[Probe],
    again: Again,
    *,
    timeout: float = TIMEOUT_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
    full: Callable[[], bool] = processors_are_full,
) -> Mapping[str, Observation]:
    """The readings of each probe, by probe id; a second one only where `again` wants it.

    The second question comes `pause_seconds` after the first answer. A probe that has not answered after LATE_SECONDS
    is asked a second time at once, beside the first question. That answer counts where the first question brings
    none, or one out of range. So a process that hangs costs LATE_SECONDS + `timeout`, and all probes together take
    2 × (`timeout` + 1) and the pause at most.

    full: whether this machine's processors are full. Then second questions wait for the first ones to end, and have
    PATIENT_SECONDS, since a process that answers late does not hang. All of it then takes `timeout` + PATIENT_SECONDS
    + 2 seconds and the pause at most.
    """
    asked = list(probes)
    questions = _Questions(stack, asked, timeout)
    late = questions.open_after(LATE_SECONDS)
    beside = _Questions(stack, () if full() else late, timeout)
    first = questions.readings()
    wanted = set(again(first))
    ill = {probe.id for probe in late if not _is_well(probe, first[probe.id])}
    patient = full() if wanted else False
    told = set() if patient else wanted & ill & beside.asked.keys()
    due = {name: first[name].at + timedelta(seconds=pause_seconds) for name in wanted - ill}
    left = [probe for probe in asked if probe.id in wanted - told]
    rest = _Questions(stack, left, max(timeout, PATIENT_SECONDS) if patient else timeout, due)
    second = first | beside.readings(told) | rest.readings()
    return {probe.id: Observation(probe, first[probe.id], second[probe.id]) for probe in asked}
