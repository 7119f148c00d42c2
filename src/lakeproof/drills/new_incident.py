"""Which incident a fault led to: told by what the desk did not hold before, never by the clock.

A clock that is set back would hide it, and an alert that fires again soon after a drill joins the incident of before.
"""

from collections.abc import Iterable

from lakeproof.drills.world import Desk, FiringView


class NewIncident:
    """The incident of one fault. `alerts`: names of those that may tell of it; None: any alert."""

    def __init__(self, desk: Desk, alerts: Iterable[str] | None = None) -> None:
        self._desk = desk
        self._alerts = None if alerts is None else frozenset(alerts)
        self._ids: frozenset[str] = frozenset()
        self._firings: frozenset[str] = frozenset()

    def remember(self) -> None:
        """What the desk holds before the fault. Raises: CouldNotLook."""
        self._ids = self._desk.ids()
        held = self._desk.incidents(self._ids)
        self._firings = frozenset(alert.firing for incident in held for alert in incident.alerts)

    def find(self) -> str | None:
        """The id of an incident with a firing of these alerts that is new; None as yet. Raises: CouldNotLook."""
        return next(iter(self.find_all()), None)

    def find_all(self) -> list[str]:
        """All of them: faults of several scenarios open several. Raises: CouldNotLook."""
        return [
            incident.id
            for incident in self._desk.incidents(self._ids)
            if any(self._tells(alert) for alert in incident.alerts)
        ]

    def _tells(self, alert: FiringView) -> bool:
        return alert.firing not in self._firings and (self._alerts is None or alert.name in self._alerts)
