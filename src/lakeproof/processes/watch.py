"""Since when a component's trouble counts as an incident: not while a command starts, stops or restarts it."""

import time


class Watch:
    """Watches one component. A component that dies, hangs or is started again by its keeper stays watched.

    patience_seconds: how long a command may take to start or stop the component.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._since: float | None = None
        """When the component was first well after the last command, UNIX time; None until then."""
        self._commanded_at = float("-inf")
        self._commanded_time = 0.0
        self._was_well = False

    def begin_command(self) -> None:
        """A command starts, stops or restarts the component now. Nobody is alerted until it is well again."""
        self._since, self._commanded_at, self._commanded_time = None, time.monotonic(), time.time()

    def be_well(self) -> None:
        """The component answers, and is provisioned."""
        self._was_well = True
        if self._since is None:
            self._since = time.time()

    @property
    def in_command(self) -> bool:
        """True from a command until the component is well, at most for the time of a start and a stop."""
        return self._since is None and time.monotonic() - self._commanded_at < self._patience_seconds

    def told_since(self, *, wanted: bool) -> float | None:
        """Since when trouble of the component counts as an incident, UNIX time; None while it does not count.

        Where a command restarted a component that was well before, and it is not well again in time, its trouble
        counts since that command.
        """
        if self._since is None and self._was_well and wanted and not self.in_command:
            return self._commanded_time
        return self._since
