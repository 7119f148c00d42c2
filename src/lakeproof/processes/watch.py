"""Since when a component's trouble is an incident: not while a command starts, stops or restarts it."""

import time


class Watch:
    """One component's. A component that dies, hangs or is started again by its keeper stays watched.

    patience_seconds: how long a command may take to start or stop the component.
    """

    def __init__(self, patience_seconds: float) -> None:
        self._patience_seconds = patience_seconds
        self._since: float | None = None
        """When it was first well after the command that started it, UNIX time; None before, and from its stop on."""
        self._commanded_at = float("-inf")
        self._commanded_time = 0.0
        self._was_well = False

    def begin_command(self) -> None:
        """A command starts, stops or restarts it now: until it is well again nobody is alerted."""
        self._since, self._commanded_at, self._commanded_time = None, time.monotonic(), time.time()

    def be_well(self) -> None:
        """It answers, and is provisioned."""
        self._was_well = True
        if self._since is None:
            self._since = time.time()

    @property
    def in_command(self) -> bool:
        """True from a command until it is well, for as long as both a start and a stop may take."""
        return self._since is None and time.monotonic() - self._commanded_at < self._patience_seconds

    def told_since(self, *, wanted: bool) -> float | None:
        """Since when its trouble is an incident, UNIX time; None while it is none.

        One that is wanted, was well before, and was not brought back within its time by the command that restarted
        it, is in trouble since that command.
        """
        if self._since is None and self._was_well and wanted and not self.in_command:
            return self._commanded_time
        return self._since
