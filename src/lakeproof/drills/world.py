"""What a drill needs from outside, as small protocols, so that a drill can be tested without a stack.

live_world.py has the real implementations.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lakeproof.diagnosis.examination import Look
from lakeproof.observability.timing import Timing
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Reading
from lakeproof.processes.parts import Parts
from lakeproof.scenarios.catalog import Catalog
from lakeproof.stack.stack import Stack

type Progress = Callable[[str], None]


@dataclass(frozen=True)
class FiringView:
    """One alert of an incident.

    firing: identifies one firing; the same alert that clears and fires again gets another value.
    """

    name: str
    firing: str


@dataclass(frozen=True)
class IncidentView:
    """An incident as the desk shows it, with its alerts."""

    id: str
    alerts: tuple[FiringView, ...]


class Desk(Protocol):
    """The incident desk, as an operator's tool sees it. Every call may raise CouldNotLook."""

    def ids(self) -> frozenset[str]:
        """The ids of all incidents that the desk lists."""

    def incidents(self, known: frozenset[str]) -> Sequence[IncidentView]:
        """The incidents that are ongoing, and those whose ids are not among `known`."""

    def keep_closed(self) -> None:
        """See that alerts which fire from now on do not reopen an incident that closed by itself before."""

    def acknowledge(self, incident: str) -> None:
        """Acknowledge the incident; fine where somebody has done so already."""

    def mitigate(self, incident: str, text: str) -> None:
        """Say that the repair begins."""

    def note(self, incident: str, kind: str, text: str) -> None:
        """Add a line to the incident's timeline."""

    def attach(self, incident: str, kind: str, title: str, body: Any, readings: Sequence[Reading] = ()) -> None:
        """Attach a document with its readings to the incident."""

    def resolve(self, incident: str, text: str) -> None:
        """Close the incident."""

    def rca(self, incident: str, root_cause: str) -> str:
        """Make the draft of the incident's RCA; gives it in Markdown."""


@dataclass(frozen=True)
class TrafficResult:
    """What the shoppers saw, as counts of calls.

    refusals: the number of refusals by reason.
    late_p99_ms: the 99th percentile of how late the shoppers sent a call after its due time. Where it is large, the
    shoppers were held up themselves, and the refusals tell little of the shop.
    """

    asked: int
    acknowledged: int
    refused: int
    unclear: int
    refusals: dict[str, int]
    late_p99_ms: float


class Traffic(Protocol):
    """Shoppers that buy until they are stopped."""

    def settle_leftovers(self) -> int:
        """Find out what became of the calls that killed shoppers left open; gives how many were settled."""

    def start(self, rate: float, seed: int, run: str, purchases: float) -> None:
        """Begin to send `rate` calls a second, and `purchases` checkouts a second beside them."""

    def orders(self) -> int:
        """How many orders the shop has acknowledged to these shoppers. Raises: LakeproofError where they stopped."""

    def stop(self) -> TrafficResult | None:
        """Stop, and find out what became of unclear calls. None where no shoppers buy. Safe to repeat."""


@dataclass(frozen=True)
class World:
    """The stack and its surroundings.

    bring_up: starts those of the components that are not up; gives the names of the ones it started.
    observe: takes a reading of each probe, and a second reading where that tells more. look: takes one reading.
    firing: whether that alert fires (may raise CouldNotLook).
    all_firing: all alerts that fire, whether a scenario owns them or not (may raise CouldNotLook).
    parts: which components are part of the stack.
    timing: the timing of the alerts during the drill.
    """

    stack: Stack
    catalog: Catalog
    bring_up: Callable[[Sequence[str], Progress], Sequence[str]]
    desk: Desk
    traffic: Traffic
    observe: Look
    look: Callable[[Iterable[Probe]], Mapping[str, Reading]]
    firing: Callable[[str], bool]
    all_firing: Callable[[], Sequence[str]]
    parts: Callable[[], Parts]
    timing: Timing = "drill"
