"""A service of the shop as a component: `python -m lakeproof.shop.<folder>.app`, ready when its /health says so."""

import sys

from lakeproof.stack import loopback
from lakeproof.stack.addresses import USUAL_PORTS
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack


def shop_service(
    name: str,
    *,
    summary: str,
    needs: tuple[str, ...],
    uses: tuple[str, ...] = (),
    in_plain_up: bool = False,
) -> Component:
    """name: FOLDER-service. needs: without these the service is unhealthy; uses: it can do without for a while."""
    module = f"lakeproof.shop.{name.removesuffix('-service')}.app"

    def command(_: Stack) -> Command:
        # Its settings come to it as LAKEPROOF_* from whoever starts it.
        return Command((sys.executable, "-m", module))

    def ready(stack: Stack, timeout: float) -> None:
        """GET /health. Raises: NotReady with what it says."""
        loopback.require_ok(f"{stack.url(name)}/health", name, timeout)

    return Component(
        name=name,
        kind="service",
        command=command,
        ready=ready,
        ports=USUAL_PORTS[name],
        needs=needs,
        uses=uses,
        scrapes=(Scrape("http"),),
        start_seconds=30.0,
        stop_seconds=12.0,
        in_plain_up=in_plain_up,
        summary=summary,
        one_because="its callers know one address, and nothing stands before several",
    )
