"""Which incident a fault led to: told by what the desk did not hold before, never by the clock.

A clock that is set back would hide it, and an alert that fires again soon after a drill joins the incident of before.
"""

from collections.abc import Iterable

from lakeproof.drills.world import Desk


class NewIncident:
    """The incident of one fault. `alerts`: names of those that may tell of it."""

    def __init__(self, desk: Desk, alerts: Iterable[str]) -> None:
        self._desk = desk
        self._alerts = frozenset(alerts)
        self._ids: frozenset[str] = frozenset()
        self._firings: frozenset[str] = frozenset()

    def remember(self) -> None:
        """What the desk holds before the fault. Raises: CouldNotLook."""
        self._ids = self._desk.ids()
        held = self._desk.incidents(self._ids)
        self._firings = frozenset(alert.firing for incident in held for alert in incident.alerts)

    def find(self) -> str | None:
        """The id of an incident with a firing of these alerts that is new; None as yet. Raises: CouldNotLook."""
        for incident in self._desk.incidents(self._ids):
            for alert in incident.alerts:
                if alert.name in self._alerts and alert.firing not in self._firings:
                    return incident.id
        return None
