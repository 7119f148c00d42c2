"""What a drill needs from outside, as small protocols, so that its course can be tested without a stack.

live_world.py has the real ones.
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
        """Every incident that it lists."""

    def incidents(self, known: frozenset[str]) -> Sequence[IncidentView]:
        """The incidents that are ongoing, and those whose ids are not among `known`."""

    def keep_closed(self) -> None:
        """Whatever fires from now on opens none of the incidents again that closed by themselves before."""

    def acknowledge(self, incident: str) -> None:
        """Take the incident; fine where somebody has taken it already."""

    def mitigate(self, incident: str, text: str) -> None:
        """Say that the repair begins."""

    def note(self, incident: str, kind: str, text: str) -> None:
        """Add a line to its timeline."""

    def attach(self, incident: str, kind: str, title: str, body: Any, readings: Sequence[Reading] = ()) -> None:
        """Attach a document."""

    def resolve(self, incident: str, text: str) -> None:
        """Close the incident."""

    def rca(self, incident: str, root_cause: str) -> str:
        """The draft of its RCA, in Markdown."""


@dataclass(frozen=True)
class TrafficResult:
    """What the shoppers saw, in calls. refusals: reason → how many.

    late_p99_ms: the shoppers came to 99 % of the calls within so many milliseconds of their time. Where they were
    held up for long themselves, the refusals tell little of the shop.
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
        """Find out what became of the calls that killed shoppers left open; gives how many of them."""

    def start(self, rate: float, seed: int, run: str, purchases: float) -> None:
        """Begin to send `rate` calls a second, and `purchases` checkouts a second beside them."""

    def orders(self) -> int:
        """How many orders the shop has acknowledged to these shoppers. Raises: LakeproofError where they stopped."""

    def stop(self) -> TrafficResult | None:
        """Stop, and settle what is unclear. None where no shoppers buy. Safe to repeat."""


@dataclass(frozen=True)
class World:
    """The stack and its surroundings.

    bring_up: starts what is missing of these components; gives the names that it started.
    observe: takes a reading of each probe, and a second one where it tells anything. look: takes one.
    firing: whether that alert fires (may raise CouldNotLook). all_firing: the alerts that fire, of any scenario or of
    none (may raise CouldNotLook). parts: which components are part of the stack.
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
