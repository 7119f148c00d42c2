"""shop-capture: PostgreSQL's tables in the lake.

Its process writes the heartbeats and measures the delay, as lag-exporter does for MariaDB, and watches the
replication slot; its provision has the connector and the lake's job there.

A component of its own, so that PostgreSQL can run for the services alone: then nothing is captured, and no slot keeps
WAL. Stopped, it stops the connector and the job; the slot stays, and keeps WAL up to its bound until capture goes on.
"""

import contextlib
import logging
import sys

from lakeproof.errors import LakeproofError
from lakeproof.stack import loopback
from lakeproof.stack.component import Command, Component, Scrape
from lakeproof.stack.stack import Stack

NAME = "shop-capture"
ENGINE = "postgres"
SAVEPOINT_SECONDS = 30.0

log = logging.getLogger(__name__)


def command(_: Stack) -> Command:
    """Its passwords come from the stack's secrets, never from argv."""
    return Command((sys.executable, "-m", "lakeproof.observability.lag_exporter", NAME, ENGINE))


def ready(stack: Stack, timeout: float) -> None:
    """It tells how its dependencies are; that one of them is down is their trouble, not its own."""
    loopback.require_itself(f"{stack.url(NAME)}/health", NAME, timeout)


def provision(stack: Stack) -> None:
    """Have the job there, then the connector, each as the other database's: made once, not mended.

    A connector that the last stop of this component stopped goes on; one that somebody else stopped stays so.
    """
    from lakeproof.lake.capture import registration, resting
    from lakeproof.lake.job import ensure_submitted
    from lakeproof.lake.job.databases import SHOP, want_shop

    want_shop(stack, wanted=True)
    ensure_submitted(stack, SHOP)
    registration.provision(stack, ENGINE)
    resting.resume(stack)


def before_stop(stack: Stack) -> None:
    """Nothing is captured from now on: connector and job stop, and both go on from their places later."""
    from lakeproof.lake.capture import resting
    from lakeproof.lake.job import stop_with_savepoint
    from lakeproof.lake.job.databases import SHOP, want_shop

    want_shop(stack, wanted=False)
    # Where Connect is away already, its next start stops the connector.
    with contextlib.suppress(LakeproofError):
        resting.stop(stack)
    try:
        # Nobody publishes its states from now on, and it would let those expire that are published.
        stop_with_savepoint(stack, SAVEPOINT_SECONDS, SHOP)
    except LakeproofError as error:
        log.warning("%s goes on until Flink stops: %s", SHOP.job_name, error.message)


COMPONENTS = (
    Component(
        name=NAME,
        kind="service",
        command=command,
        ready=ready,
        ports={"http": 9310},
        uses=("publisher",),
        provision_needs=("postgres", "kafka", "connect", "flink-jobmanager"),
        provision=provision,
        before_stop=before_stop,
        always_goodbye=True,
        scrapes=(Scrape("http"),),
        start_seconds=120.0,
        stop_seconds=6.0,
        in_plain_up=False,
        summary="PostgreSQL's tables in the lake: heartbeats, slot, connector, job",
    ),
)
