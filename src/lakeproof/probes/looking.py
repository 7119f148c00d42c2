"""Asking many probes at once, and after a pause those again whose second reading can tell anything."""

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from lakeproof.deadline import Deadline
from lakeproof.probes.condition import Condition
from lakeproof.probes.probe import TIMEOUT_SECONDS, Probe
from lakeproof.probes.reading import Reading
from lakeproof.probes.round import Round
from lakeproof.processes.pressure import processors_are_full
from lakeproof.stack.stack import Stack

# Between the two readings of a probe.
PAUSE_SECONDS = 2.0
# For the second readings where this machine's processors are full. A process that hangs stays silent for so long too;
# one that is only late answers. (Which clients give up sooner by themselves stands in docs/decisions/0039.)
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
    asked = list(probes)
    if not asked:
        return {}
    pool = ThreadPoolExecutor(max_workers=len(asked), thread_name_prefix="probe", initializer=Round().begin)
    futures: dict[str, Future[Reading]] = {probe.id: pool.submit(probe.look, stack, timeout) for probe in asked}
    wait(futures.values(), timeout=timeout + 1)
    # Threads that still wait on a dead socket end by their own timeout; nobody waits for them.
    pool.shutdown(wait=False, cancel_futures=True)
    return {
        probe.id: futures[probe.id].result()
        if futures[probe.id].done() and not futures[probe.id].cancelled()
        else probe.reading(None, f"no answer within {timeout:.0f} s")
        for probe in asked
    }


def observe(
    stack: Stack,
    probes: Iterable[Probe],
    again: Again,
    *,
    timeout: float = TIMEOUT_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
    full: Callable[[], bool] = processors_are_full,
) -> Mapping[str, Observation]:
    """The readings of each probe, by probe id; a second one, after a pause, only where `again` wants it.

    full: whether this machine's processors are full. Then second readings may take PATIENT_SECONDS, for what answers
    late does not hang. So it takes at most `timeout` + PATIENT_SECONDS + 2 seconds and the pause, on another machine
    2 × (`timeout` + 1) and the pause; without a second reading there is no pause.
    """
    asked = list(probes)
    first = look_once(stack, asked, timeout)
    wanted = again(first)
    twice = [probe for probe in asked if probe.id in wanted]
    if twice:
        Deadline(pause_seconds).pause(pause_seconds)
    second = first | look_once(stack, twice, max(timeout, PATIENT_SECONDS) if twice and full() else timeout)
    return {probe.id: Observation(probe, first[probe.id], second[probe.id]) for probe in asked}
