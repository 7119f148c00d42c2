"""Alertmanager 0.25 (Debian's): gives every alert to the desk, and high and critical ones to Slack as well.

Debian's build reads a template at a path fixed in the binary, so it must be installed by apt. Gossip is off: one
instance, and nothing may listen beyond loopback.
"""

import logging
import os

import httpx

from lakeproof.errors import NotReady
from lakeproof.observability.drill_windows import timing_now
from lakeproof.observability.receivers import read_receivers
from lakeproof.observability.routing import SLACK_FILE, TOKEN_FILE, render_alertmanager, repaced
from lakeproof.observability.timing import Timing
from lakeproof.stack import loopback
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.program import find_program
from lakeproof.stack.stack import Stack
from lakeproof.written import write_file

log = logging.getLogger(__name__)

CONFIG_FILE = "alertmanager.yml"


def command(stack: Stack) -> Command:
    """One instance on loopback, without gossip."""
    program = find_program("prometheus-alertmanager", "alertmanager", package="alertmanager")
    return Command(
        (
            program,
            f"--config.file={stack.etc_dir('alertmanager') / CONFIG_FILE}",
            f"--storage.path={stack.data_dir('alertmanager')}",
            f"--web.listen-address={stack.settings.host}:{stack.port('alertmanager')}",
            # Stands in its webhooks: the desk knows by it whose alert it is.
            f"--web.external-url={stack.url('alertmanager')}",
            "--cluster.listen-address=",
            "--log.level=warn",
        )
    )


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


def prepare(stack: Stack) -> None:
    """Before each start, at the pace of a drill that runs, else at the stack's own."""
    stack.data_dir("alertmanager").mkdir(parents=True, exist_ok=True)
    write_config(stack, timing_now(stack))


def ready(stack: Stack, timeout: float) -> None:
    """It tells its status, with the configuration it runs on."""
    try:
        answer = loopback.get(f"{stack.url('alertmanager')}/api/v2/status", timeout=timeout)
    except httpx.HTTPError as error:
        raise NotReady(f"no answer: {type(error).__name__}", where="alertmanager") from error
    if answer.status_code != 200 or "receivers" not in answer.json()["config"]["original"]:
        raise NotReady(f"answered {answer.status_code}", where="alertmanager")


COMPONENTS = (
    Component(
        name="alertmanager",
        kind="engine",
        command=command,
        ready=ready,
        uses=("prometheus", "desk"),
        ports={"http": 9093},
        prepare=prepare,
        scrapes=(Scrape("http", seconds=5.0),),
        start_seconds=60.0,
        image="prom/alertmanager:v0.28.1",
        summary="sends alerts to the desk and to people",
    ),
)
