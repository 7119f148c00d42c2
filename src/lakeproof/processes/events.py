"""What the daemon tells while it works: one event per change, for progress and for the log."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something happened to a component.

    what: waiting, preparing, starting, provisioning, ready, unhealthy, healthy, exited, failed, stopping, goodbye
    (the component's before_stop runs), stopped. Of the supervisor itself: waiting, killed (it did not answer) and
    swept (a process that a dead supervisor left). Or `progress`: nothing new, work goes on; `component` is empty.
    """

    component: str
    what: str
    text: str

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Event":
        """The reverse of `asdict`. Other keys are ignored: `down` must also end a supervisor of another version."""
        return cls(data["component"], data["what"], data["text"])
