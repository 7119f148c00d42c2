"""The captures that are asked about: MariaDB's, whose probes have plain names, and PostgreSQL's, with `shop-` before.

A probe of the second one is asked only where shop-capture is part of the stack.
"""

from dataclasses import dataclass

from lakeproof.lake.job.databases import CAPTURE, OLTP, SHOP, LakeDatabase, present
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Capture:
    """One source database on its way to the lake.

    connector: its name in Kafka Connect. exporter: the component that writes its beats and measures its delay.
    begin: what its probes' names begin with. within: the component that it belongs to; None: it is always there.
    """

    connector: str
    database: LakeDatabase
    exporter: str
    begin: str = ""
    within: str | None = None

    def named(self, probe: str) -> str:
        """The id of its probe of that kind."""
        return f"{self.begin}{probe}"

    def about(self, *components: str) -> tuple[str, ...]:
        """Those, and the component that it belongs to."""
        return components if self.within is None else (*components, self.within)


ORDERS = Capture("orders", OLTP, "lag-exporter")
SHOPS = Capture("shop", SHOP, CAPTURE, "shop-", CAPTURE)
CAPTURES = (ORDERS, SHOPS)


def present_captures(stack: Stack) -> tuple[Capture, ...]:
    """Those that are part of this stack now."""
    there = present(stack)
    return tuple(capture for capture in CAPTURES if capture.database in there)
