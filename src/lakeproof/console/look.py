"""One look at the whole stack: what the supervisor sees, what Prometheus measures, which alerts fire."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lakeproof.console.way import whole_query
from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.observability.scenario_homes import scenario_homes
from lakeproof.probes.http import get_json
from lakeproof.probes.probe import all_probes
from lakeproof.probes.prometheus import instant
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State
from lakeproof.processes.supervisor import Supervisor
from lakeproof.stack.components import all_components
from lakeproof.stack.stack import Stack

NOT_STARTED = "not started"
# Figures come from scrapes, which are five seconds apart outside of drills.
FIGURES_SECONDS = 4.0
# Somebody else's servers are asked less often: each question is a request of its own.
PROBES_SECONDS = 10.0
PROBE_TIMEOUT = 1.5
PROMETHEUS_TIMEOUT = 2.0
SUPERVISOR_SECONDS = 5.0


@dataclass(frozen=True)
class Firing:
    """An alert that fires or waits to: its rule's name, its labels and its summary in both languages."""

    name: str
    state: str
    severity: str
    component: str
    runbook: str
    since: datetime
    summaries: Mapping[str, str]


@dataclass(frozen=True)
class Look:
    """One look at the stack.

    at: when the components were seen.
    parts: name → the process of each component that was ever wanted.
    figures: the figure's id → its value, as far as Prometheus has it.
    alerts: those that fire or wait to; None where no Prometheus told.
    unseen: what could not be looked at, in words.
    """

    at: datetime
    parts: Mapping[str, ProcessRow]
    figures: Mapping[str, float] = field(default_factory=dict)
    alerts: tuple[Firing, ...] | None = None
    unseen: tuple[str, ...] = ()

    @property
    def absent(self) -> str:
        """The state of a component that is not among the parts: unknown where no part could be seen."""
        return str(Health.UNKNOWN) if self.unseen and not self.parts else NOT_STARTED

    def replicas(self, name: str) -> list[ProcessRow]:
        """The component's own process and its further ones. Each node of Cassandra is drawn in a box of its own."""
        further = [one.name for one in all_components().values() if one.replica_of == name]
        own_boxes = name.startswith("cassandra")
        return [self.parts[one] for one in (name, *(() if own_boxes else further)) if one in self.parts]


class Looking:
    """Looks at one stack, again and again, from one thread."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._supervisor = Supervisor(stack)
        self._figures_at = self._parts_at = float("-inf")
        self._figures: Mapping[str, float] = {}
        self._alerts: tuple[Firing, ...] | None = None
        self._rows: tuple[ProcessRow, ...] = ()
        self._silent: tuple[str, ...] = ()

    def look(self) -> Look:
        """Look now. The supervisor is asked each time, Prometheus and somebody else's servers less often."""
        unseen: list[str] = []
        try:
            rows = self._external() if self._stack.settings.mode == "external" else self._own()
        except LakeproofError as error:
            rows = ()
            unseen.append(error.message)
        at = datetime.now(UTC)
        if time.monotonic() - self._figures_at >= FIGURES_SECONDS:
            self._read_prometheus(rows)
            self._figures_at = time.monotonic()
        return Look(at, {row.name: row for row in rows}, self._figures, self._alerts, (*unseen, *self._silent))

    def _own(self) -> tuple[ProcessRow, ...]:
        if self._supervisor.died():
            raise CouldNotLook(
                "its supervisor is dead", where=f"stack {self._stack.name}", next_action="lakeproof up, or down"
            )
        return tuple(self._supervisor.ps(SUPERVISOR_SECONDS)) if self._supervisor.running() else ()

    def _external(self) -> tuple[ProcessRow, ...]:
        if time.monotonic() - self._parts_at >= PROBES_SECONDS:
            self._rows = tuple(_ask_each(self._stack))
            self._parts_at = time.monotonic()
        return self._rows

    def _read_prometheus(self, rows: Iterable[ProcessRow]) -> None:
        self._figures, self._alerts, self._silent = {}, None, ()
        watched = any(row.name == "prometheus" and row.pid is not None for row in rows)
        if not watched and self._stack.settings.mode == "local":
            return
        try:
            series = instant(self._stack, whole_query(), PROMETHEUS_TIMEOUT)
            self._figures = {labels["figure"]: value for labels, value in series}
            self._alerts = tuple(_alerts(self._stack))
        except LakeproofError as error:
            self._silent = (error.message,)


def _alerts(stack: Stack) -> Iterable[Firing]:
    data = get_json(f"{stack.url('prometheus')}/api/v1/alerts", PROMETHEUS_TIMEOUT)
    for one in data["data"]["alerts"]:
        labels, notes = one["labels"], one["annotations"]
        yield Firing(
            labels["alertname"],
            one["state"],
            labels.get("severity", ""),
            labels.get("component", ""),
            notes.get("runbook_url", ""),
            datetime.fromisoformat(one["activeAt"]),
            {language: notes.get(f"summary_{language}", "") for language in ("vi", "en")},
        )


def _ask_each(stack: Stack) -> Iterable[ProcessRow]:
    """Ask somebody else's servers, each by its health question. Their processes are not seen, only their answers."""
    probes = all_probes((*scenario_homes(stack.settings.scenario_dirs),))
    given = [one for one in all_components().values() if stack.settings.endpoints.get(one.name)]

    def ask(name: str) -> ProcessRow:
        known = [probes[id_] for id_ in (f"{name}-ready", f"{name}-answers") if id_ in probes]
        known += [probe for probe in probes.values() if probe.source == name and probe.liveness]
        endpoints = dict(stack.settings.endpoints[name])
        if not known:
            return ProcessRow(name, State.RUNNING, Health.UNKNOWN, None, 0, 0, 0, None, endpoints, "", "is not asked")
        reading = known[0].look(stack, PROBE_TIMEOUT)
        healthy = known[0].healthy
        well = healthy is not None and bool(healthy.holds(reading, reading))
        health = Health.HEALTHY if well else Health.UNHEALTHY if reading.answered else Health.UNKNOWN
        reason = "" if well else str(reading.error or reading.value)
        return ProcessRow(name, State.RUNNING, health, None, 0, 0, 0, None, endpoints, "", reason)

    with ThreadPoolExecutor(8) as pool:
        yield from pool.map(ask, [one.name for one in given])
