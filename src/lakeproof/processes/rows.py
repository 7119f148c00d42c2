"""The row that `ps` shows of one component."""

from dataclasses import asdict, dataclass
from typing import Any

from lakeproof.processes.states import Health, State


@dataclass(frozen=True)
class ProcessRow:
    """One component as observed now.

    rss_bytes: memory of the component's whole process family.
    cpu_percent: percent of one core over the last two seconds, of the same family.
    ready_seconds: from the start to healthy.
    endpoints: kind → host:port.
    log: the path of the log file.
    reason: why it is not healthy, in words.
    watched_since: since when its trouble counts as an incident, UNIX time; None while it does not count.
    """

    name: str
    state: State
    health: Health
    pid: int | None
    rss_bytes: int
    cpu_percent: float
    restarts: int
    ready_seconds: float | None
    endpoints: dict[str, str]
    log: str
    reason: str = ""
    cpu_seconds: float = 0.0
    watched_since: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The shape that scripts rely on (`ps --json`)."""
        found = asdict(self)
        del found["reason"], found["cpu_seconds"], found["watched_since"]
        return found

    @classmethod
    def from_wire(cls, data: dict[str, Any]) -> "ProcessRow":
        """The reverse of `asdict`."""
        return cls(**data | {"state": State(data["state"]), "health": Health(data["health"])})
