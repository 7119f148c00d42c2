"""Another timing for a running stack: rules and routes are written anew and reloaded, without a restart."""

import httpx

from lakeproof.errors import CouldNotLook, InvalidInput, TerminalError
from lakeproof.observability.timing import Timing, factor_of
from lakeproof.stack.engines import alertmanager, prometheus
from lakeproof.stack.stack import Stack


def apply_timing(stack: Stack, timing: Timing, *, timeout: float = 10.0) -> int:
    """Make Prometheus and Alertmanager run in `timing`. Gives the factor that windows are divided by.

    A restart of Prometheus goes back to the timing of the settings. An alert whose window changed starts afresh.
    Raises: InvalidInput for an external stack or a window that gets too short, CouldNotLook without an answer,
    TerminalError where the new configuration was refused (the old one goes on).
    """
    if stack.settings.mode == "external":
        raise InvalidInput(
            "these rules belong to somebody else's Prometheus", where="timing", next_action="use --timing production"
        )
    prometheus.write_config(stack, timing)
    alertmanager.write_config(stack, timing)
    for component in ("prometheus", "alertmanager"):
        url = f"{stack.url(component)}/-/reload"
        try:
            answer = httpx.post(url, timeout=timeout, trust_env=False)
        except httpx.HTTPError as error:
            raise CouldNotLook(f"no answer: {type(error).__name__}", where=url, next_action="is it up?") from error
        if answer.status_code != 200:
            raise TerminalError(f"refused its configuration: {answer.text.strip()[:300]}", where=url)
    return factor_of(timing)
