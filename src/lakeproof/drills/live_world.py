"""The drill's World on a real stack: supervisor, desk, shoppers and probes."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from lakeproof.deadline import Deadline
from lakeproof.drills.drill_series import needed_by_it_alone
from lakeproof.drills.plan import DrillPlan
from lakeproof.drills.world import FiringView, IncidentView, Progress, TrafficResult, World
from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError, TerminalError
from lakeproof.incidents.client import PATIENCE_SECONDS, DeskClient, new_key, until_kept
from lakeproof.incidents.status import ONGOING, Status
from lakeproof.observability.drill_windows import borrow
from lakeproof.observability.reload import ALERTMANAGER, PROMETHEUS, renew
from lakeproof.observability.timing import Timing
from lakeproof.observability.watched import await_watched
from lakeproof.probes.looking import look_once, observe
from lakeproof.probes.prometheus import all_firing, firing
from lakeproof.probes.reading import Reading
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.events import Event
from lakeproof.processes.parts import parts_of
from lakeproof.scenarios.catalog import Catalog
from lakeproof.stack.closure import closure
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers import shoppers

log = logging.getLogger(__name__)

WHO = "drill"
# How many of the desk's newest incidents are read: more than a fault opens.
NEWEST = 200
# Longer than the time within which the desk reopens an incident that closed by itself.
CLOSED_LATELY = timedelta(hours=1)
FIRST_CALL_SECONDS = 90.0  # includes the start of the shoppers' Python interpreter
# The desk accepts at most this many readings with one entry; further readings are dropped.
MOST_READINGS = 500


def live_world(stack: Stack, catalog: Catalog, timing: Timing | None = None) -> World:
    """The real stack, desk and shoppers.

    timing: the timing of the alerts during the drill. None: "drill", or that of the settings in mode "external".
    """
    external = stack.settings.mode == "external"
    pace: Timing = timing or (stack.settings.timing if external else "drill")
    return World(
        stack=stack,
        catalog=catalog,
        bring_up=lambda names, progress: bring_up(stack, names, progress, pace),
        desk=LiveDesk(stack),
        traffic=LiveTraffic(stack),
        observe=lambda probes, again: observe(stack, probes, again),
        look=lambda probes: look_once(stack, probes),
        firing=lambda alert: firing(stack, alert),
        all_firing=lambda: all_firing(stack),
        parts=lambda: parts_of(stack),
        timing=pace,
    )


def bring_up(stack: Stack, names: Sequence[str], progress: Progress, timing: Timing) -> Sequence[str]:
    """Start the components that are missing, and have Prometheus load the scenarios' current rules in that timing.

    Gives the names of the started components. In mode "external" nothing is started and no rules are loaded: both
    belong to somebody else.
    """
    if stack.settings.mode == "external":
        return ()

    def tell(event: Event) -> None:
        progress(f"{event.component} {event.what} {event.text}" if event.component else f"… {event.text}")

    client = SupervisorClient(stack)
    started = client.up(names, tell)
    if {PROMETHEUS, ALERTMANAGER} <= set(closure(names, client.components)):
        await_watched(stack, client.ps())
        # Only now: while a stack starts, a drill's short windows would alert on every slow answer.
        borrow(stack, timing)
        if renewed := renew(stack, timing):
            progress(f"{' and '.join(renewed)}: rules reloaded, timing {timing}")
    return started


def known_parts(stack: Stack) -> frozenset[str]:
    """The components that our supervisor knows, in whatever state; none without one, or in mode "external"."""
    client = SupervisorClient(stack)
    if stack.settings.mode == "external" or not client.running():
        return frozenset()
    return frozenset(row.name for row in client.ps())


def end_needed_alone(
    stack: Stack, done: DrillPlan, others: Sequence[DrillPlan], known_before: frozenset[str], progress: Progress
) -> None:
    """End the components that the drill `done` needed, that no other drill of its series needs, and that the
    supervisor did not know before the series.

    The supervisor forgets these components: a component that is only stopped remains part of the stack, and one that
    does not run is a root cause. Components that the drill left broken are forgotten too; their process may be gone.
    """
    client, known = SupervisorClient(stack), known_parts(stack)
    for name in needed_by_it_alone(done, others, known_before, client.components):
        if name in known:
            progress(f"{name} is stopped: no other drill of the series needs it")
            client.forget(name)


class LiveDesk:
    """The desk over HTTP. A call that the desk refuses is an error of the drill. No incident is opened from here.

    While the desk restarts, calls are retried for PATIENCE_SECONDS; a retried write carries the same idempotency key.
    Only `rca` has no key, and is not retried. After one call has waited in vain, later calls do not wait until the
    desk has answered again.
    """

    _patience_seconds = PATIENCE_SECONDS

    def __init__(self, stack: Stack) -> None:
        self._client = DeskClient(stack)

    def ids(self) -> frozenset[str]:
        """Every incident that the desk holds."""
        return frozenset(row["id"] for row in self._again(self._client.incidents))

    def incidents(self, known: frozenset[str]) -> Sequence[IncidentView]:
        """The incidents that are ongoing, and those that are not among `known`, with their alerts."""
        return self._again(lambda: self._incidents(known))

    def _incidents(self, known: frozenset[str]) -> Sequence[IncidentView]:
        rows, older = self._client.newest(most=NEWEST)
        # An alert may join an old incident that nobody has resolved.
        held = {row["id"]: row for status in ONGOING if older for row in self._client.incidents(status)}
        rows += [row for name, row in held.items() if name not in {row["id"] for row in rows}]
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

    def keep_closed(self) -> None:
        """Make the drill the owner of incidents that closed by themselves lately, so that they are not reopened."""
        since = datetime.now(UTC) - CLOSED_LATELY
        for row in self._again(lambda: self._client.newest(Status.RESOLVED, most=NEWEST))[0]:
            if not (row["owner"] or row["merged_into"]) and datetime.fromisoformat(row["resolved_at"]) > since:
                self._change(
                    row["id"], "own", owner=WHO, text="a drill begins: what fires from now on is another one"
                )

    def acknowledge(self, incident: str) -> None:
        """Acknowledge the incident; fine where somebody has done so already."""
        if self._again(lambda: self._client.incident(incident))["status"] == Status.OPEN:
            self._change(incident, "ack", text="taken by a drill")

    def mitigate(self, incident: str, text: str) -> None:
        """Say that the repair begins."""
        self._change(incident, "mitigate", text=text)

    def note(self, incident: str, kind: str, text: str) -> None:
        """Add a line to the incident's timeline."""
        self._change(incident, "note", kind=kind, text=text)

    def attach(self, incident: str, kind: str, title: str, body: Any, readings: Sequence[Reading] = ()) -> None:
        """Attach a document with its readings to the incident."""
        self._change(incident, "evidence", kind=kind, title=title, body=body, readings=shapes(readings))

    def resolve(self, incident: str, text: str) -> None:
        """Close the incident; fine where it is closed already."""
        if self._again(lambda: self._client.incident(incident))["status"] not in ("resolved", "reviewed"):
            self._change(incident, "resolve", text=text)

    def rca(self, incident: str, root_cause: str) -> str:
        """Write the draft of the incident's RCA into the desk; gives it in Markdown."""
        return self._client.write_rca(incident, who=WHO, root_cause=root_cause)

    def _change(self, incident: str, act: str, **fields: Any) -> None:
        key = new_key()
        self._again(lambda: self._client.change(incident, act, who=WHO, key=key, **fields))

    def _again[T](self, ask: Callable[[], T]) -> T:
        try:
            answer = until_kept(ask, lambda text: log.warning("%s", text), self._patience_seconds)
        except (CouldNotLook, TerminalError):
            self._patience_seconds = 0.0
            raise
        self._patience_seconds = PATIENCE_SECONDS
        return answer


def shapes(readings: Sequence[Reading]) -> list[dict[str, Any]]:
    """The first MOST_READINGS readings in the shape that the desk accepts."""
    return [asdict(reading) | {"at": reading.at.isoformat()} for reading in readings[:MOST_READINGS]]


class LiveTraffic:
    """The shop's shoppers, in a process of their own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._handle: shoppers.ShoppersProcess | None = None

    def settle_leftovers(self) -> int:
        """Read each order to find out what became of the open calls. Raises: InvalidInput, LedgerBroken."""
        return shoppers.settle_leftovers(self._stack)

    def start(self, rate: float, seed: int, run: str, purchases: float) -> None:
        """Begin to send calls; returns once the first one was sent.

        Raises: InvalidInput where shoppers buy already; whatever stops them before their first call.
        """
        if self._handle is not None:
            raise InvalidInput("shoppers buy already", where=run, next_action="stop them first")
        self._handle = shoppers.start(self._stack, rate, seed, run, purchases=purchases)
        try:
            Deadline(FIRST_CALL_SECONDS).wait_for(
                "the shoppers' first call", lambda: True if self._counts().sent else None, every=0.1
            )
        except BaseException:
            with suppress(LakeproofError):
                self.stop()
            raise

    def orders(self) -> int:
        """How many orders the shop has acknowledged. Raises: TerminalError where no shoppers buy."""
        return self._counts().orders

    def stop(self) -> TrafficResult | None:
        """Send no new calls, and find out what became of the unclear ones. None where no shoppers buy."""
        if self._handle is None:
            return None
        try:
            report = self._handle.stop()
        except LakeproofError:
            self._handle = None
            raise
        self._handle = None
        counts, late_ms = report.counts, report.lateness_ms.get("p99", 0.0)
        return TrafficResult(
            *(counts.asked, counts.acknowledged, counts.refused, counts.open_calls), report.refusals, late_ms
        )

    def _counts(self) -> shoppers.Counts:
        if self._handle is None:
            raise TerminalError("no shoppers buy", where="drill")
        return self._handle.counts()
