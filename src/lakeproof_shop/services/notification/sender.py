"""Sending one notification: opt-outs, the limit, the lease, the provider, and the outcome.

A notification is delivered once: there is one lease at a time, and each try has the same Message-ID, by which a
provider knows a repeat. A notification that a provider did not take is due again, each time after twice the pause.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from lakeproof.deadline import Deadline
from lakeproof_shop.services.notification.leases import Leases, Look
from lakeproof_shop.services.notification.limiter import Limiter
from lakeproof_shop.services.notification.metrics import NotificationMetrics
from lakeproof_shop.services.notification.models import DropReason, Notification, Status
from lakeproof_shop.services.notification.providers import Delivery, Provider, ProviderFailed
from lakeproof_shop.serving.database.errors import CommitUnclear, DatabaseTrouble, SaidNo
from lakeproof_shop.serving.operation import RuleRefused
from lakeproof_shop.serving.traces import trace_id

logger = logging.getLogger(__name__)

PAUSE_MAX_SECONDS = 600.0
END_SECONDS = 5.0  # the limit for writing down a delivery's outcome, however little is left of the caller's time
_OPEN = (Status.PENDING, Status.FAILED)


class RateLimited(SaidNo):
    """The limiter did not let the notification through; nothing was done."""

    def __init__(self, retry_seconds: float) -> None:
        self.retry_seconds = retry_seconds
        super().__init__("the customer has had as many messages by this channel as the limit allows")


class DeliveryFailed(SaidNo):
    """The provider did not take the notification. unclear: it may have, but a repeat is not delivered twice.

    due_at: when it is tried again by itself; None: it is not.
    """

    def __init__(self, reason: str, *, unclear: bool, due_at: str | None) -> None:
        self.unclear, self.due_at = unclear, due_at
        super().__init__(reason)


@dataclass(frozen=True)
class Retries:
    """When a failed send is retried. attempts: the most tries. pause_seconds: after the first try; then it doubles,
    to PAUSE_MAX_SECONDS at most.
    """

    attempts: int
    pause_seconds: float

    def pause_after(self, attempts: int) -> float | None:
        """Seconds from attempt number `attempts` to the next; None: there is no next."""
        if attempts >= self.attempts:
            return None
        return float(min(PAUSE_MAX_SECONDS, self.pause_seconds * 2 ** min(attempts - 1, 20)))


class Sender:
    """Sends notifications by the provider of their channel."""

    def __init__(
        self,
        leases: Leases,
        limiter: Limiter,
        providers: Mapping[str, Provider],
        metrics: NotificationMetrics,
        retries: Retries,
    ) -> None:
        self._leases, self._limiter, self._providers = leases, limiter, providers
        self._metrics, self._retries = metrics, retries
        self._under_way: set[asyncio.Task[Notification]] = set()

    async def send(self, notification_id: uuid.UUID, deadline: Deadline) -> Notification:
        """Send a notification now, for a caller. One that is sent or dropped already is given as it is.

        Raises: RuleRefused (not_found, being_sent), RateLimited, DeliveryFailed, and as `Attempts.run`.
        """
        look = await self._leases.look(notification_id, deadline)
        if look is None:
            raise RuleRefused("not_found", f"no notification {notification_id}")
        if look.notification.status not in _OPEN:
            return look.notification
        if look.is_leased:
            raise RuleRefused("being_sent", "somebody else is sending it at this moment")
        token = uuid.uuid4()
        if look.is_opted_out:
            return await self._dropped(look.notification, token, DropReason.OPTED_OUT, deadline)
        verdict = await self._limiter.ask(look.notification.customer_id, look.notification.channel, notification_id)
        if not verdict.allowed:
            raise RateLimited(verdict.retry_seconds)
        taken = await self._leases.take(notification_id, token, deadline)
        if taken is None:  # somebody was quicker, or the customer has just opted out
            return await self._as_it_is(notification_id, deadline)
        return await self._deliver(taken, token)

    async def send_taken(self, look: Look, token: uuid.UUID, deadline: Deadline) -> None:
        """Send a notification that the worker has leased. It is dropped where it is over the limit or not wanted.

        Raises: DeliveryFailed, and as `Attempts.run`.
        """
        one = look.notification
        if look.is_opted_out:
            await self._dropped(one, token, DropReason.OPTED_OUT, deadline)
        elif not (await self._limiter.ask(one.customer_id, one.channel, one.id)).allowed:
            await self._dropped(one, token, DropReason.RATE_LIMITED, deadline)
        else:
            await self._deliver(one, token)

    async def _dropped(
        self, one: Notification, token: uuid.UUID, reason: DropReason, deadline: Deadline
    ) -> Notification:
        dropped = await self._leases.drop(one.id, token, reason, deadline)
        if dropped is None:
            return await self._as_it_is(one.id, deadline)
        self._metrics.dropped.labels(reason.value).inc()
        return dropped

    async def _as_it_is(self, notification_id: uuid.UUID, deadline: Deadline) -> Notification:
        look = await self._leases.look(notification_id, deadline)
        if look is not None and look.notification.status not in _OPEN:
            return look.notification
        raise RuleRefused("being_sent", "somebody else is sending it at this moment")

    async def _deliver(self, one: Notification, token: uuid.UUID) -> Notification:
        """Hand the notification over and write down the outcome. A caller who hangs up does not cut this off."""
        task = asyncio.create_task(self._deliver_whole(one, token))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Notification]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # asked for here, because a caller who hung up does not ask for it

    async def finish(self, seconds: float) -> None:
        """Wait for the deliveries under way."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=seconds)

    async def _deliver_whole(self, one: Notification, token: uuid.UUID) -> Notification:
        """Raises: DeliveryFailed; CommitUnclear where it was handed over but the outcome cannot be written down."""
        failure = await self._hand_over(one)
        try:
            return await self._write_down(one, token, failure)
        except DatabaseTrouble as error:
            words = f"it was handed to the provider, and what came of that could not be written down: {error}"
            raise CommitUnclear(words) from error

    async def _hand_over(self, one: Notification) -> ProviderFailed | None:
        started = time.perf_counter()
        try:
            await self._providers[one.channel].deliver(
                Delivery(one.id, one.to, one.subject, one.body, one.topic, trace_id.get())
            )
        except ProviderFailed as error:
            return error
        finally:
            self._metrics.send_latency.observe(time.perf_counter() - started)
        return None

    async def _write_down(self, one: Notification, token: uuid.UUID, failure: ProviderFailed | None) -> Notification:
        """Write down the outcome. Gives the notification that was sent. Raises: DeliveryFailed where it was not."""
        if failure is None:
            ended = await self._leases.sent(one.id, token, Deadline(END_SECONDS))
            if ended is None:
                return await self._as_it_is(one.id, Deadline(END_SECONDS))
            self._metrics.sent.inc()
            self._metrics.tries.labels(one.channel, "sent").inc()
            return ended
        self._metrics.failures.inc()
        self._metrics.tries.labels(one.channel, "failed").inc()
        pause = None if failure.permanent else self._retries.pause_after(one.attempts)
        failed = await self._leases.failed(one.id, token, str(failure), pause, Deadline(END_SECONDS))
        logger.warning(
            "not delivered",
            extra={"notification_id": str(one.id), "channel": one.channel, "reason": str(failure), "again_in": pause},
        )
        raise DeliveryFailed(str(failure), unclear=failure.unclear, due_at=failed.due_at if failed else None)
