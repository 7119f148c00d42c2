"""What a drill needs from outside, as small protocols: so its course can be tested without a stack."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lakeproof.observability.timing import Timing
from lakeproof.probes.looking import Observation
from lakeproof.probes.probe import Probe
from lakeproof.probes.reading import Reading
from lakeproof.scenarios.catalog import Catalog
from lakeproof.stack.stack import Stack

type Progress = Callable[[str], None]


@dataclass(frozen=True)
class FiringView:
    """One alert of an incident. `firing`: one word for this time that it fires, another one for each other time."""

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
        """Those that are ongoing, and those that are not among `known`."""

    def acknowledge(self, incident: str) -> None:
        """Take it; fine where somebody has."""

    def mitigate(self, incident: str, text: str) -> None:
        """Say that the repair begins."""

    def note(self, incident: str, kind: str, text: str, readings: Sequence[Reading] = ()) -> None:
        """A line for its timeline."""

    def attach(self, incident: str, kind: str, title: str, body: Any, readings: Sequence[Reading] = ()) -> None:
        """A document."""

    def resolve(self, incident: str, text: str) -> None:
        """Close it."""

    def rca(self, incident: str, root_cause: str) -> str:
        """The draft of its RCA, in Markdown."""


@dataclass(frozen=True)
class TrafficResult:
    """What the shoppers saw, in calls."""

    asked: int
    acknowledged: int
    refused: int
    unclear: int


class Traffic(Protocol):
    """Shoppers that buy until they are stopped."""

    def settle_leftovers(self) -> int:
        """Find out what became of the calls that killed shoppers left open; gives how many of them."""

    def start(self, rate: float, seed: int, run: str) -> None:
        """Begin to ask `rate` times a second."""

    def orders(self) -> int:
        """How many orders the shop has acknowledged to these shoppers. Raises: LakeproofError where they stopped."""

    def stop(self) -> TrafficResult | None:
        """End and settle; None where nothing ran. Safe to repeat."""


@dataclass(frozen=True)
class World:
    """The stack and its surroundings.

    bring_up: start what is missing of these components; gives what it started.
    observe: two readings of each probe. look: one. firing: does the alert fire (may raise CouldNotLook).
    absent: components that are not part of the stack. timing: in which its alerts go during the drill.
    """

    stack: Stack
    catalog: Catalog
    bring_up: Callable[[Sequence[str], Progress], Sequence[str]]
    desk: Desk
    traffic: Traffic
    observe: Callable[[Iterable[Probe]], Mapping[str, Observation]]
    look: Callable[[Iterable[Probe]], Mapping[str, Reading]]
    firing: Callable[[str], bool]
    absent: Callable[[], frozenset[str]] = frozenset
    timing: Timing = "drill"
