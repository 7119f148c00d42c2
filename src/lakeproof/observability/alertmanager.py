"""What Alertmanager runs on, as files: who hears of which alert, at which pace."""

import logging
import os

from lakeproof.observability.receivers import read_receivers, silences
from lakeproof.observability.routes import all_routes
from lakeproof.observability.routing import (
    MESSAGES_FILE,
    SLACK_FILES,
    TOKEN_FILE,
    render_alertmanager,
    render_messages,
    repaced,
)
from lakeproof.observability.timing import Timing
from lakeproof.stack.engines.alertmanager import CONFIG_FILE
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file
from lakeproof.yaml_file import load_yaml

log = logging.getLogger(__name__)


def write_config(stack: Stack, timing: Timing) -> None:
    """Write configuration and secret files. Alerts that nobody hears of are logged as a warning."""
    receivers = read_receivers(os.environ)
    etc = stack.etc_dir("alertmanager")
    text = render_alertmanager(etc, stack.url("desk"), receivers, timing)
    write_file(etc / TOKEN_FILE, stack.secret("desk-token"), mode=0o600)
    if receivers.slack_url:
        urls = {"slack-kafka": receivers.slack_kafka_url}
        for name, file in SLACK_FILES.items():
            write_file(etc / file, urls.get(name) or receivers.slack_url, mode=0o600)
    write_file(etc / MESSAGES_FILE, render_messages(stack.url("desk"), receivers))
    # In 0.25 PagerDuty's key and the mail account's password have no files of their own: only the owner reads this.
    write_file(etc / CONFIG_FILE, text, mode=0o600)
    for silence in receivers.unset:
        log.warning("%s", silence)


def goes_at(stack: Stack, timing: Timing) -> bool:
    """True where Alertmanager's configuration has the pace of `timing` already."""
    text = _config(stack)
    return repaced(text, timing) == text


def repace(stack: Stack, timing: Timing) -> str:
    """Write Alertmanager's configuration at the pace of `timing`; gives the old text.

    It is not rendered anew, because its receivers were in the environment in which it was first written.
    """
    old = _config(stack)
    put_back(stack, repaced(old, timing))
    return old


def unheard(stack: Stack) -> tuple[str, ...]:
    """Which alerts nobody hears of, by Alertmanager's own configuration and not by this shell's environment."""
    there = {receiver["name"] for receiver in load_yaml(_config(stack))["receivers"]}
    return silences(route for route in all_routes() if route.to not in there)


def _config(stack: Stack) -> str:
    return (stack.etc_dir("alertmanager") / CONFIG_FILE).read_text(encoding="utf-8")


def put_back(stack: Stack, text: str) -> None:
    """Write Alertmanager's configuration."""
    write_file(stack.etc_dir("alertmanager") / CONFIG_FILE, text, mode=0o600)
