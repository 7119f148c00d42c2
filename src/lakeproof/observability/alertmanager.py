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
    """Configuration and secret files. What nobody hears of is said as a warning."""
    receivers = read_receivers(os.environ)
    etc = stack.etc_dir("alertmanager")
    text = render_alertmanager(etc, stack.url("desk"), receivers, timing)
    write_file(etc / TOKEN_FILE, stack.secret("desk-token"), mode=0o600)
    if receivers.slack_url:
        urls = {"slack-kafka": receivers.slack_kafka_url}
        for name, file in SLACK_FILES.items():
            write_file(etc / file, urls.get(name) or receivers.slack_url, mode=0o600)
    write_file(etc / MESSAGES_FILE, render_messages(stack.url("desk"), receivers))
    # PagerDuty's key and the mail account's password have no files of their own in 0.25: the owner alone reads this.
    write_file(etc / CONFIG_FILE, text, mode=0o600)
    for silence in receivers.unset:
        log.warning("%s", silence)


def goes_at(stack: Stack, timing: Timing) -> bool:
    """True where its configuration has the pace of `timing` already."""
    text = _config(stack)
    return repaced(text, timing) == text


def repace(stack: Stack, timing: Timing) -> str:
    """Write its configuration at the pace of `timing`; gives the old text.

    Not rendered anew: who hears of alerts was in the environment of its start.
    """
    old = _config(stack)
    put_back(stack, repaced(old, timing))
    return old


def unheard(stack: Stack) -> tuple[str, ...]:
    """What nobody hears of by the configuration that it runs on, whatever this shell's environment holds."""
    there = {receiver["name"] for receiver in load_yaml(_config(stack))["receivers"]}
    return silences(route for route in all_routes() if route.to not in there)


def _config(stack: Stack) -> str:
    return (stack.etc_dir("alertmanager") / CONFIG_FILE).read_text(encoding="utf-8")


def put_back(stack: Stack, text: str) -> None:
    """Write its configuration."""
    write_file(stack.etc_dir("alertmanager") / CONFIG_FILE, text, mode=0o600)
