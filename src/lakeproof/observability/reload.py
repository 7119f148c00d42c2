"""Rules and routes of a running stack, written anew and reloaded without a restart: another timing, or new rules."""

import httpx

from lakeproof.errors import CouldNotLook, InvalidInput, LakeproofError, TerminalError
from lakeproof.observability.timing import Timing, factor_of
from lakeproof.observability.written import replace_folder
from lakeproof.stack.engines import alertmanager, prometheus
from lakeproof.stack.stack import Stack

RELOAD_SECONDS = 10.0


def apply_timing(stack: Stack, timing: Timing, *, timeout: float = RELOAD_SECONDS) -> int:
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
        _reload(stack, component, timeout)
    return factor_of(timing)


def renew_rules(stack: Stack, *, timeout: float = RELOAD_SECONDS) -> bool:
    """Have a running Prometheus evaluate the rules that the folders hold now; False where it does so already.

    It read them when it started: a scenario's folder that came later has an alert that could never fire.
    Raises: InvalidInput for a rules file that is wrong; CouldNotLook without an answer and TerminalError where
    Prometheus refused the rules: then it goes on with the old ones, and the next call tries again.
    """
    folder = prometheus.rules_dir(stack)
    wanted = prometheus.rules_in(stack, stack.settings.timing)
    old = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.yml")}
    if wanted == old:
        return False
    replace_folder(folder, wanted)
    try:
        _reload(stack, "prometheus", timeout)
    except LakeproofError:
        replace_folder(folder, old)
        raise
    return True


def _reload(stack: Stack, component: str, timeout: float) -> None:
    url = f"{stack.url(component)}/-/reload"
    try:
        answer = httpx.post(url, timeout=timeout, trust_env=False)
    except httpx.HTTPError as error:
        raise CouldNotLook(f"no answer: {type(error).__name__}", where=url, next_action="is it up?") from error
    if answer.status_code != 200:
        raise TerminalError(f"refused its configuration: {answer.text.strip()[:300]}", where=url)
