"""A service of the shop as a component, ready when its /health says so:
`python -m lakeproof_shop.services.<folder>.app`.
"""

from lakeproof.stack.component import Component, Scrape
from lakeproof.stack.python_module import answers_ok, run_module


def shop_service(
    name: str,
    *,
    summary: str,
    needs: tuple[str, ...],
    uses: tuple[str, ...] = (),
    in_plain_up: bool = False,
) -> Component:
    """name: FOLDER-service. needs: without these it is unhealthy. uses: it can do without these for a while."""
    return Component(
        name=name,
        kind="service",
        command=run_module(f"lakeproof_shop.services.{name.removesuffix('-service')}.app"),
        ready=answers_ok(name),
        needs=needs,
        uses=uses,
        scrapes=(Scrape("http"),),
        start_seconds=30.0,
        stop_seconds=12.0,
        in_plain_up=in_plain_up,
        summary=summary,
        one_because="its callers know one address, and nothing stands before several",
    )
