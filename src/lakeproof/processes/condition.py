"""The health of one component, why it is not healthy, and since when it has been unhealthy."""

import asyncio
import time

from lakeproof.processes.states import Health


class Condition:
    """reason: why the component is not healthy, in words. healthy: set while it is healthy, for others to await."""

    def __init__(self) -> None:
        self.health = Health.NONE
        self.reason = ""
        self.healthy = asyncio.Event()
        self._unhealthy_since: float | None = None

    @property
    def unhealthy_seconds(self) -> float:
        """For how long the component has been unhealthy; 0 when it is not."""
        return time.monotonic() - self._unhealthy_since if self._unhealthy_since is not None else 0.0

    def be_gone(self, reason: str = "") -> None:
        """The component has no process."""
        self.healthy.clear()
        self.health, self.reason, self._unhealthy_since = Health.NONE, reason, None

    def be_well(self) -> None:
        """The component answers, and is provisioned."""
        self.health, self.reason, self._unhealthy_since = Health.HEALTHY, "", None
        self.healthy.set()

    def be_unwell(self, reason: str) -> None:
        """The component runs and does not answer, or cannot be provisioned."""
        self.healthy.clear()
        if self.health != Health.UNHEALTHY:
            self._unhealthy_since = time.monotonic()
        self.health, self.reason = Health.UNHEALTHY, reason
