"""order-service: takes the shop's orders over HTTP and keeps them in MariaDB.

Ready means that its database answers: /health asks it, so a stopped MariaDB or a stopped service both show.
"""

import sys

import httpx

from lakeproof.errors import NotReady
from lakeproof.stack import loopback
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack

NAME = "order-service"


def command(_: Stack) -> Command:
    """The service's own process; settings come to it as LAKEPROOF_* from whoever starts it."""
    return Command((sys.executable, "-m", "lakeproof.shop.order.app"))


def ready(stack: Stack, timeout: float) -> None:
    """GET /health. Raises: NotReady with what it says."""
    try:
        answer = loopback.get(f"{stack.url(NAME)}/health", timeout=timeout)
    except httpx.HTTPError as error:
        raise NotReady(f"no answer from /health ({type(error).__name__})", where=NAME) from error
    if answer.status_code != 200:
        raise NotReady(f"/health says {answer.status_code}: {answer.text[:300]}", where=NAME)


COMPONENTS = (
    Component(
        name=NAME,
        kind="service",
        command=command,
        ready=ready,
        ports={"http": 8001},
        needs=("mysql",),
        scrapes=(Scrape("http"),),
        start_seconds=30.0,
        stop_seconds=12.0,
        summary="orders over HTTP, kept in MariaDB",
    ),
)
