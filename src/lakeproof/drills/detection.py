"""When the scenario's alerts fired after the fault, and when they cleared after the repair began."""

from collections.abc import Callable, Iterable

from lakeproof.drills.phases import Stopwatch
from lakeproof.drills.report import AlertTimes
from lakeproof.errors import CouldNotLook


class AlertWatch:
    """Asked again and again while a drill waits. `firing(alert)`: may raise CouldNotLook, which tells nothing."""

    def __init__(self, alerts: Iterable[str], firing: Callable[[str], bool]) -> None:
        self._alerts = tuple(alerts)
        self._firing = firing
        self._fired: dict[str, float] = {}
        self._cleared: dict[str, float] = {}

    @property
    def fired(self) -> tuple[str, ...]:
        """Alerts that fired since the fault."""
        return tuple(self._fired)

    def look(self, since_fault: Stopwatch, since_repair: Stopwatch | None) -> list[str]:
        """Look once; gives what is new, in words."""
        news = []
        for alert in self._alerts:
            try:
                fires = self._firing(alert)
            except CouldNotLook:
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
        """Those that fired and fire now. Raises: CouldNotLook."""
        return [alert for alert in self._fired if self._firing(alert)]

    def times(self) -> list[AlertTimes]:
        """For the report."""
        return [AlertTimes(name, self._fired.get(name), self._cleared.get(name)) for name in self._alerts]
