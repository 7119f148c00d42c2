"""Traffic in a thread, for callers that only wait meanwhile. Callers that compute use own_process.py."""

import threading

from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.shoppers.report import Counts, TrafficReport
from lakeproof_shop.customers.shoppers.traffic import (
    SETTLE_LIMIT_SECONDS,
    Traffic,
    in_new_loop,
    of_stack,
    serve_in_new_loop,
)

STOP_AGAIN_SECONDS = 30.0  # how long shoppers may take to end once they were told not to settle either


class TrafficHandle:
    """Shoppers in a thread. They go on through outages; only a ledger that cannot be written stops them."""

    def __init__(self, traffic: Traffic) -> None:
        self.run = traffic.run
        self._traffic = traffic
        self._report: TrafficReport | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name=f"shoppers-{traffic.run}", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self._report = serve_in_new_loop(self._traffic, None)
        except BaseException as error:  # noqa: BLE001 - the top of a thread: whoever asks next gets it
            self._error = error

    def counts(self) -> Counts:
        """The counts now. Raises: what stopped the shoppers (LedgerBroken), so that an end is not taken for calm."""
        if self._error is not None:
            raise self._error
        return self._traffic.tally.counts()

    def stop(self, settle_seconds: float = SETTLE_LIMIT_SECONDS) -> TrafficReport:
        """Send nothing new, settle what is unclear within `settle_seconds`, and report. Safe to repeat. Longer than
        SETTLE_LIMIT_SECONDS nobody settles.

        Raises: what stopped the shoppers before (LedgerBroken).
        """
        deadline = Deadline(settle_seconds)
        self._traffic.stop()
        self._thread.join(deadline.left)
        if self._thread.is_alive():
            self._traffic.stop()
            self._thread.join(STOP_AGAIN_SECONDS)
        if self._error is not None:
            raise self._error
        if self._report is None:
            raise DeadlineExpired("the shoppers did not stop", last_seen=str(self._traffic.tally.counts()))
        return self._report


def settle_leftovers(stack: Stack) -> int:
    """Settle the calls that killed shoppers left open (shoppers/leftovers.py); gives how many were settled.

    Raises: InvalidInput, LedgerBroken.
    """
    return in_new_loop(of_stack(stack, rate=1.0, seed=0).settle_leftovers())
