"""Capture of PostgreSQL: its job, then its connector. Both stop before the component shop-capture stops."""

import contextlib
import logging

from lakeproof.errors import LakeproofError
from lakeproof.lake.capture import registration, resting
from lakeproof.lake.job import ensure_submitted, stop_with_savepoint
from lakeproof.lake.sources.source import SHOP, want
from lakeproof.stack.services import shop_capture
from lakeproof.stack.stack import Stack

SAVEPOINT_SECONDS = 30.0

log = logging.getLogger(__name__)


def provision(stack: Stack) -> None:
    """Submit the job, then make the connector, each as for the other database: made once, not mended.

    A connector that the last stop of this component stopped goes on; one that somebody else stopped stays stopped.
    """
    want(stack, shop_capture.NAME, wanted=True)
    ensure_submitted(stack, SHOP)
    registration.provision(stack, SHOP)
    resting.resume(stack, SHOP)


def before_stop(stack: Stack) -> None:
    """Stop the connector and the job, so that nothing is captured. Both go on from their places later."""
    want(stack, shop_capture.NAME, wanted=False)
    # Where Connect is away already, its next start stops the connector.
    with contextlib.suppress(LakeproofError):
        resting.stop(stack, SHOP)
    try:
        # From now on nobody publishes the job's states, and a running job would let the published ones expire.
        stop_with_savepoint(stack, SHOP, SAVEPOINT_SECONDS)
    except LakeproofError as error:
        log.warning("%s goes on until Flink stops: %s", SHOP.job, error.message)
