"""What the daemon tells while it works: one event per change, for progress and for the log."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something happened to a component.

    what: waiting, preparing, starting, provisioning, ready, unhealthy, healthy, exited, failed, stopping, goodbye
    (what a component does before its end), stopped; of the supervisor itself killed (it did not answer) and swept
    (what a dead one left); or `progress` (nothing new, still at it; component is empty).
    """

    component: str
    what: str
    text: str

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Event":
        """The reverse of `asdict`, also of a supervisor of another version, which may tell more: `down` ends it."""
        return cls(data["component"], data["what"], data["text"])
