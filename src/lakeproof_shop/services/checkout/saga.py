"""Works on one checkout, step by step, until it ends, a step gets no clear answer, or the time is over."""

import logging

from lakeproof.deadline import Deadline
from lakeproof_shop.services.checkout.metrics import CheckoutMetrics
from lakeproof_shop.services.checkout.models import Checkout, Step, Undoing
from lakeproof_shop.services.checkout.services import NoClearWord, ServiceRefused
from lakeproof_shop.services.checkout.steps import Steps
from lakeproof_shop.services.checkout.store import CheckoutStore, HoldLost
from lakeproof_shop.serving.crash import crash
from lakeproof_shop.serving.database.errors import DatabaseTrouble

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
# Storing a step's outcome has a time of its own: a step that was done must not be forgotten because the request's
# time is nearly over.
REMEMBER_SECONDS = 2.0
# Steps after the money was taken or is due back. A refused one is retried for ever: the buyer gets the goods or the
# money, or a person looks into it.
_ONLY_FORWARD = frozenset(
    {
        *(Step.PAY, Step.LABEL, Step.NOTIFY),
        *(
            step for undoing in Undoing for step in undoing.steps[1:]
        ),  # the parcel is stopped or came back, so the money is due
    }
)
_FIRST_OF_UNDOING = frozenset(undoing.steps[0] for undoing in Undoing)


class Saga:
    """Works on checkouts. `crash_at`: "STEP:before" or "STEP:after", where the process kills itself (for tests)."""

    def __init__(self, store: CheckoutStore, steps: Steps, metrics: CheckoutMetrics, *, crash_at: str = "") -> None:
        self._store, self._steps, self._metrics, self._crash_at = store, steps, metrics, crash_at

    async def run(self, checkout: Checkout, owner: str, deadline: Deadline) -> Checkout:
        """Go on with a checkout that `owner` holds, and give it as it was last known.

        The sweeper does the steps that are left when this returns. Troubles of the database or of a service are not
        raised: the checkout has begun, so no caller may be told that nothing was done.
        """
        while not checkout.step.is_end and not deadline.expired:
            try:
                checkout = await self._one_step(checkout, owner, deadline)
            except NoClearWord as error:
                self._metrics.steps.labels(checkout.step.value, "unclear").inc()
                _say("checkout waits", checkout, error)
                return await self._let_go(checkout, owner)
            except HoldLost:
                return checkout
            except DatabaseTrouble as error:
                _say("checkout is left to the sweeper", checkout, error)
                return checkout
        return checkout

    async def _let_go(self, checkout: Checkout, owner: str) -> Checkout:
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(checkout.attempts, 10), LONGEST_PAUSE_SECONDS)
        try:
            return await self._store.let_go(checkout, owner, pause, Deadline(REMEMBER_SECONDS))
        except (HoldLost, DatabaseTrouble) as error:
            _say("checkout is left to the sweeper", checkout, error)
            return checkout

    async def _one_step(self, checkout: Checkout, owner: str, deadline: Deadline) -> Checkout:
        step = checkout.step
        self._crash(step, "before")
        try:
            values = await self._steps.do(checkout, deadline)
        except ServiceRefused as error:
            if step in _ONLY_FORWARD or step.is_turned_back:
                raise NoClearWord(f"refused where it may not be: {error}") from error
            self._metrics.steps.labels(step.value, "refused").inc()
            remember, refusal = Deadline(REMEMBER_SECONDS), (error.code, str(error))
            turned = Step.DONE if step in _FIRST_OF_UNDOING else Step.VOID
            return await self._store.advance(checkout, owner, turned, remember, refusal=refusal)
        self._crash(step, "after")
        self._metrics.steps.labels(step.value, "done").inc()
        moved = await self._store.advance(checkout, owner, step.following, Deadline(REMEMBER_SECONDS), values=values)
        if moved.step.is_end:
            self._metrics.ended.labels(moved.step.value).inc()
        return moved

    def _crash(self, step: Step, when: str) -> None:
        if self._crash_at == f"{step.value}:{when}":
            crash(f"{when} {step.value}")


def _say(what: str, checkout: Checkout, error: Exception) -> None:
    logger.warning(what, extra={"checkout": checkout.key, "step": checkout.step, "reason": str(error)})
