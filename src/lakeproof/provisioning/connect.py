"""Kafka Connect: MariaDB's connectors. PostgreSQL's is shop_capture's."""

from lakeproof.lake.capture import registration, resting
from lakeproof.lake.job.databases import SHOP, present
from lakeproof.stack.stack import Stack

REST_SECONDS = 20.0


def provision(stack: Stack) -> None:
    """Once ready: MariaDB's connectors, each once (lake/capture/registration.py). PostgreSQL's: shop-capture.

    Connect remembers PostgreSQL's from an earlier time; where shop-capture came to no clean end then, it rests now.
    """
    registration.provision(stack)
    if SHOP not in present(stack):
        resting.stop(stack, REST_SECONDS)
