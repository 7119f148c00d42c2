"""mail-sink: the providers' receiving end on this machine, mail by SMTP and webhooks by HTTP."""

import sys

from lakeproof.stack import loopback
from lakeproof.stack.addresses import USUAL_PORTS
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack

NAME = "mail-sink"


def command(_: Stack) -> Command:
    """Its settings come to it as LAKEPROOF_* from whoever starts it."""
    return Command((sys.executable, "-m", "lakeproof.shop.mail_sink.app"))


def ready(stack: Stack, timeout: float) -> None:
    """GET /health: it greets by SMTP, and its disk takes what is sent. Raises: NotReady with what it says."""
    loopback.require_ok(f"{stack.url(NAME)}/health", NAME, timeout)


COMPONENTS = (
    Component(
        name=NAME,
        kind="service",
        command=command,
        ready=ready,
        ports=USUAL_PORTS[NAME],
        scrapes=(Scrape("http"),),
        start_seconds=30.0,
        stop_seconds=12.0,
        in_plain_up=False,
        summary="takes mail and webhooks, delivers nothing",
    ),
)
