"""The world of a drill on a real stack: its supervisor, its desk, its shoppers, its probes."""

from collections.abc import Sequence
from typing import Any

from lakeproof.customers import shoppers
from lakeproof.drills.membership import absent_components
from lakeproof.drills.world import FiringView, IncidentView, Progress, TrafficResult, World
from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.incidents.client import DeskClient
from lakeproof.incidents.status import ONGOING, Status
from lakeproof.observability.reload import ALERTMANAGER, PROMETHEUS, renew
from lakeproof.observability.timing import Timing
from lakeproof.probes.looking import look_once, observe
from lakeproof.probes.prometheus import firing
from lakeproof.probes.reading import Reading
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.events import Event
from lakeproof.scenarios.catalog import Catalog
from lakeproof.stack.closure import closure
from lakeproof.stack.stack import Stack

WHO = "drill"
# The desk takes this many readings with one entry.
MOST_READINGS = 500


def live_world(stack: Stack, catalog: Catalog, timing: Timing | None = None) -> World:
    """Everything real. timing: in which its alerts go; None: in the stack's own."""
    return World(
        stack=stack,
        catalog=catalog,
        bring_up=lambda names, progress: bring_up(stack, names, progress, timing or stack.settings.timing),
        desk=LiveDesk(stack),
        traffic=LiveTraffic(stack),
        observe=lambda probes: observe(stack, probes),
        look=lambda probes: look_once(stack, probes),
        firing=lambda alert: firing(stack, alert),
        absent=lambda: absent_components(stack),
        timing=timing,
    )


def bring_up(stack: Stack, names: Sequence[str], progress: Progress, timing: Timing) -> Sequence[str]:
    """Start what is missing, and have alerts go by the rules that the folders hold now, in that timing.

    In mode "external" nothing is started here, and the rules are somebody else's.
    """
    if stack.settings.mode == "external":
        return ()

    def tell(event: Event) -> None:
        progress(f"{event.component} {event.what} {event.text}" if event.component else f"… {event.text}")

    client = SupervisorClient(stack)
    started = client.up(names, tell)
    if {PROMETHEUS, ALERTMANAGER} <= set(closure(names, client.components)) and (renewed := renew(stack, timing)):
        progress(f"{' and '.join(renewed)}: rules reloaded, timing {timing}")
    return started


class LiveDesk:
    """The desk over HTTP. What it refuses is an error of the drill; an incident is never opened from here."""

    def __init__(self, stack: Stack) -> None:
        self._client = DeskClient(stack)

    def ids(self) -> frozenset[str]:
        """Every incident that it lists (its newest 200)."""
        return frozenset(row["id"] for row in self._client.incidents())

    def incidents(self, known: frozenset[str]) -> Sequence[IncidentView]:
        """Those that are ongoing, and those that are not among `known`, with their alerts."""
        rows = self._client.incidents()
        wanted = [row["id"] for row in rows if row["id"] not in known or row["status"] in ONGOING]
        return [
            IncidentView(
                name,
                tuple(
                    FiringView(alert["name"], f"{alert['fingerprint']} since {alert['starts_at']}")
                    for alert in self._client.incident(name)["alerts"]
                ),
            )
            for name in wanted
        ]

    def acknowledge(self, incident: str) -> None:
        """Take it; fine where somebody has."""
        if self._client.incident(incident)["status"] == Status.OPEN:
            self._client.change(incident, "ack", who=WHO, text="taken by a drill")

    def mitigate(self, incident: str, text: str) -> None:
        """Say that the repair begins."""
        self._client.change(incident, "mitigate", who=WHO, text=text)

    def note(self, incident: str, kind: str, text: str, readings: Sequence[Reading] = ()) -> None:
        """A line for its timeline."""
        self._client.change(incident, "note", who=WHO, kind=kind, text=text, readings=shapes(readings))

    def attach(self, incident: str, kind: str, title: str, body: Any, readings: Sequence[Reading] = ()) -> None:
        """A document."""
        self._client.change(
            incident, "evidence", who=WHO, kind=kind, title=title, body=body, readings=shapes(readings)
        )

    def resolve(self, incident: str, text: str) -> None:
        """Close it; fine where it is closed."""
        if self._client.incident(incident)["status"] not in ("resolved", "reviewed"):
            self._client.change(incident, "resolve", who=WHO, text=text)

    def rca(self, incident: str, root_cause: str) -> str:
        """The draft of its RCA, kept in the desk, in Markdown."""
        return self._client.write_rca(incident, who=WHO, root_cause=root_cause)


def shapes(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """Readings as the desk takes them."""
    return [
        {
            "probe": reading.probe,
            "value": reading.value,
            "unit": reading.unit,
            "at": reading.at.isoformat(),
            "source": reading.source,
            "query": reading.query,
            "error": reading.error,
        }
        for reading in readings[:MOST_READINGS]
    ]


class LiveTraffic:
    """The shop's shoppers, in a thread of this process."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._handle: shoppers.TrafficHandle | None = None

    def settle_leftovers(self) -> int:
        """By a look at each order. Raises: InvalidInput, LedgerBroken."""
        return shoppers.settle_leftovers(self._stack)

    def start(self, rate: float, seed: int, run: str) -> None:
        """Begin to ask. Raises: InvalidInput where shoppers buy already."""
        if self._handle is not None:
            raise InvalidInput("shoppers buy already", where=run, next_action="stop them first")
        self._handle = shoppers.start(self._stack, rate, seed, run)

    def orders(self) -> int:
        """How many orders were acknowledged."""
        if self._handle is None:
            raise TerminalError("no shoppers buy", where="drill")
        return self._handle.counts().orders

    def stop(self) -> TrafficResult | None:
        """Send nothing new, settle what is unclear."""
        handle, self._handle = self._handle, None
        if handle is None:
            return None
        counts = handle.stop().counts
        return TrafficResult(counts.asked, counts.acknowledged, counts.refused, counts.open_calls)
