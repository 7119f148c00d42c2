"""The rehearsals behind `make notification-chaos-provider` and `make notification-chaos-redis`."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError
from lakeproof.faults import hung_process, records
from lakeproof.processes.client import SupervisorClient
from lakeproof.shop.notification.client import FIRST_CUSTOMER, NotificationClient
from lakeproof.stack.stack import Stack

FAILURES = "notification_failure_total"
ERRORS = "notification_rate_limit_errors_total"
SENT = "notification_sent_total"
SETTLE_SECONDS = 20.0


def base_url_of(stack: Stack, given: str) -> str:
    """The URL; a component's name as its host means the stack's own."""
    component = "notification-service"
    return stack.url(component) if urlsplit(given).hostname == component else given


def fail_providers(client: NotificationClient, count: int) -> dict[str, Any]:
    """Make `count` notifications and fail each; what the script prints. Raises: TransientError, CouldNotLook."""
    before = client.counters(FAILURES)[FAILURES]
    ids = [client.create(FIRST_CUSTOMER + number, "Provider failure rehearsal") for number in range(count)]
    failed = [client.fail(each, "provider failure rehearsal")["status"] == "failed" for each in ids]
    after = client.counters(FAILURES)[FAILURES]
    return {
        "action": "provider_failure",
        "baseUrl": client.base_url,
        "at": datetime.now(UTC).isoformat(),
        "requested": count,
        "failed": sum(failed),
        "notificationIds": ids,
        "metrics": {FAILURES: {"before": before, "after": after, "delta": after - before}},
    }


def redis_outage(stack: Stack, client: NotificationClient, count: int) -> dict[str, Any]:
    """Stop Redis (SIGSTOP), send, see the limiter's errors counted, let Redis go on, see that they end.

    Somebody else's Redis is left alone: then it is theirs to stop, and the outcome only tells what was seen.
    Raises: LakeproofError.
    """
    before = client.counters(ERRORS, SENT)
    stops = _is_ours(stack, client.base_url)
    with _stopped_redis(stack, stops):
        sent = [_send(client, number) for number in range(count)]
        during = client.counters(ERRORS, SENT)
    errors = during[ERRORS] - before[ERRORS]
    recovered = _errors_end(client) if errors else None
    return {
        "action": "redis_outage",
        "baseUrl": client.base_url,
        "at": datetime.now(UTC).isoformat(),
        "redisStopped": stops,
        "requested": count,
        "sent": sent.count("sent"),
        "problems": sorted({one for one in sent if one != "sent"}),
        "slowestCallSeconds": round(client.slowest_seconds, 3),
        "metrics": {
            name: {"before": before[name], "during": during[name], "delta": during[name] - before[name]}
            for name in (ERRORS, SENT)
        },
        "errorsEndedAfterwards": recovered,
    }


def _is_ours(stack: Stack, base_url: str) -> bool:
    return stack.url("notification-service") == base_url and SupervisorClient(stack).running()


@contextmanager
def _stopped_redis(stack: Stack, stops: bool) -> Iterator[None]:
    """Recorded like every fault, so that `lakeproof fault remove hung_process` takes it out after a crash."""
    if not stops:
        yield
        return
    records.inject(stack, hung_process.FAULT, {"component": "redis"}, by="notification-chaos-redis")
    try:
        yield
    finally:
        records.remove(stack, hung_process.FAULT)


def _send(client: NotificationClient, number: int) -> str:
    """The notification's status, or what was answered instead."""
    try:
        made = client.create(FIRST_CUSTOMER + number, "Redis outage rehearsal")
        return str(client.send(made)["status"])
    except LakeproofError as error:
        return error.what


def _errors_end(client: NotificationClient) -> bool:
    """True once a notification is sent without a further error of the limiter."""
    deadline = Deadline(SETTLE_SECONDS)
    while not deadline.expired:
        before = client.counters(ERRORS)[ERRORS]
        if _send(client, 0) == "sent" and client.counters(ERRORS)[ERRORS] == before:
            return True
        deadline.pause(0.5)
    return False
