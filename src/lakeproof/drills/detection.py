"""How a drill learns of its fault: by the alerts that fire, and by the incident that the desk opens by itself."""

from collections.abc import Callable, Iterable

from lakeproof.drills.journal import Stopwatch
from lakeproof.drills.report import AlertTimes
from lakeproof.drills.world import Desk, FiringView
from lakeproof.errors import CouldNotLook


class AlertWatch:
    """When the scenario's alerts fired after the fault, and when they cleared after the repair began.

    A drill calls `look` repeatedly while it waits. Where `firing(alert)` raises CouldNotLook, that alert is skipped
    and the reason added to `unseen`.
    """

    def __init__(self, alerts: Iterable[str], firing: Callable[[str], bool]) -> None:
        self._alerts = tuple(alerts)
        self._firing = firing
        self.unseen: list[str] = []
        self._fired: dict[str, float] = {}
        self._cleared: dict[str, float] = {}

    @property
    def fired(self) -> tuple[str, ...]:
        """Alerts that fired since the fault."""
        return tuple(self._fired)

    def look(self, since_fault: Stopwatch, since_repair: Stopwatch | None) -> list[str]:
        """Look once; gives in words what has changed since the last look."""
        news = []
        for alert in self._alerts:
            try:
                fires = self._firing(alert)
            except CouldNotLook as error:
                self.unseen.append(error.message)
                continue
            if fires:
                self._cleared.pop(alert, None)
                if alert not in self._fired:
                    self._fired[alert] = since_fault.seconds
                    news.append(f"{alert} fires {since_fault.seconds:.1f} s after the fault")
            elif alert in self._fired and alert not in self._cleared and since_repair is not None:
                self._cleared[alert] = since_repair.seconds
                news.append(f"{alert} cleared {since_repair.seconds:.1f} s after the repair began")
        return news

    def still_firing(self) -> list[str]:
        """The alerts that fired since the fault and fire now. Raises: CouldNotLook."""
        return [alert for alert in self._fired if self._firing(alert)]

    def times(self) -> list[AlertTimes]:
        """The times of every alert, for the report."""
        return [AlertTimes(name, self._fired.get(name), self._cleared.get(name)) for name in self._alerts]


class NewIncident:
    """Finds the incident that a fault led to: one with a firing that the desk did not hold before the fault.

    Times are not compared: a clock that is set back would hide an incident, and an alert that fires again soon after
    a drill joins the earlier incident. alerts: names of the alerts that may tell of the fault; None: any alert may.
    """

    def __init__(self, desk: Desk, alerts: Iterable[str] | None = None) -> None:
        self._desk = desk
        self._alerts = None if alerts is None else frozenset(alerts)
        self._ids: frozenset[str] = frozenset()
        self._firings: frozenset[str] = frozenset()

    def remember(self) -> None:
        """Note the desk's incidents and firings before the fault; keep closed ones closed. Raises: CouldNotLook."""
        self._desk.keep_closed()
        self._ids = self._desk.ids()
        held = self._desk.incidents(self._ids)
        self._firings = frozenset(alert.firing for incident in held for alert in incident.alerts)

    def find(self) -> str | None:
        """The id of an incident with a new firing of one of the alerts; None: not yet. Raises: CouldNotLook."""
        return next(iter(self.find_all()), None)

    def find_all(self) -> list[str]:
        """The ids of all such incidents: faults of several scenarios open several. Raises: CouldNotLook."""
        return [
            incident.id
            for incident in self._desk.incidents(self._ids)
            if any(self._tells(alert) for alert in incident.alerts)
        ]

    def _tells(self, alert: FiringView) -> bool:
        return alert.firing not in self._firings and (self._alerts is None or alert.name in self._alerts)
