"""What Alertmanager runs on, as files: who hears of which alert, at which pace."""

import logging
import os

from lakeproof.observability.receivers import read_receivers
from lakeproof.observability.routing import SLACK_FILE, TOKEN_FILE, render_alertmanager, repaced
from lakeproof.observability.timing import Timing
from lakeproof.stack.engines.alertmanager import CONFIG_FILE
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

log = logging.getLogger(__name__)


def write_config(stack: Stack, timing: Timing) -> None:
    """Configuration and secret files. What nobody hears of is said as a warning."""
    receivers = read_receivers(os.environ)
    etc = stack.etc_dir("alertmanager")
    text = render_alertmanager(etc, stack.url("desk"), receivers, timing)
    write_file(etc / TOKEN_FILE, stack.secret("desk-token"), mode=0o600)
    if receivers.slack_url:
        write_file(etc / SLACK_FILE, receivers.slack_url, mode=0o600)
    # The PagerDuty key has no file of its own in 0.25, so the whole file is for the owner only.
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


def _config(stack: Stack) -> str:
    return (stack.etc_dir("alertmanager") / CONFIG_FILE).read_text(encoding="utf-8")


def put_back(stack: Stack, text: str) -> None:
    """Write its configuration."""
    write_file(stack.etc_dir("alertmanager") / CONFIG_FILE, text, mode=0o600)
