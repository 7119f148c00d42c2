"""What the daemon tells while it works: one event per change, for progress and for the log."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something happened to a component.

    what: waiting, preparing, starting, provisioning, ready, unhealthy, healthy, exited, failed, stopping, stopped,
    or `progress` (nothing new, still at it; component is empty). `seconds` since that step began, where it has one.
    """

    component: str
    what: str
    text: str
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """As it goes over the socket."""
        return asdict(self)
