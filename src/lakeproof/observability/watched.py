"""Waiting until monitoring knows what runs: from then on the loss of a component is an alert."""

from collections.abc import Iterable

from lakeproof.deadline import Deadline
from lakeproof.errors import CouldNotLook
from lakeproof.probes.prometheus import instant
from lakeproof.processes.rows import ProcessRow
from lakeproof.stack.stack import Stack

WATCHED_SINCE = "lakeproof_component_watched_since_seconds"
SECONDS = 30.0


def await_watched(stack: Stack, rows: Iterable[ProcessRow], seconds: float = SECONDS) -> None:
    """Wait until Prometheus has read from the supervisor which of `rows` it watches, and since when.

    Does nothing where Prometheus is not among `rows`. The times are compared: after a restart of everything
    Prometheus shows for a while what the former supervisor had said.
    Raises: DeadlineExpired naming the components that Prometheus does not know of.
    """
    wanted = {row.name: row.watched_since for row in rows if row.watched_since is not None}
    if "prometheus" not in wanted:
        return
    seen = "no answer yet"

    def look() -> bool | None:
        nonlocal seen
        try:
            told = {labels["component"]: since for labels, since in instant(stack, WATCHED_SINCE)}
        except CouldNotLook as error:
            seen = error.message
            return None
        missing = [name for name, since in wanted.items() if abs(told.get(name, 0.0) - since) > 0.01]
        seen = f"it does not watch {', '.join(missing)} yet"
        return None if missing else True

    Deadline(seconds).wait_for("Prometheus to watch what was started", look, every=0.25, seen=lambda: seen)
