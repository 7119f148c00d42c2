"""The rehearsals behind `make notification-chaos-provider` and `make notification-chaos-redis`."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from lakeproof.deadline import Deadline
from lakeproof.errors import LakeproofError
from lakeproof.faults import processes, records
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.notification.client import FIRST_CUSTOMER, NotificationClient

FAILURES = "notification_failure_total"
ERRORS = "notification_rate_limit_errors_total"
SENT = "notification_sent_total"
SETTLE_SECONDS = 20.0


def fail_providers(client: NotificationClient, count: int, found: dict[str, Any]) -> None:
    """Make `count` notifications and fail each. `found` is filled, step by step, with what the script prints.

    Raises: TransientError, CouldNotLook.
    """
    ids: list[str] = []
    found |= {
        "action": "provider_failure",
        "baseUrl": client.base_url,
        "at": datetime.now(UTC).isoformat(),
        "requested": count,
        "failed": 0,
        "notificationIds": ids,
    }
    before = client.counters(FAILURES)[FAILURES]
    for number in range(count):
        ids.append(client.create(FIRST_CUSTOMER + number, "Provider failure rehearsal"))
    for each in ids:
        found["failed"] += client.fail(each, "provider failure rehearsal")["status"] == "failed"
    after = client.counters(FAILURES)[FAILURES]
    found["metrics"] = {FAILURES: {"before": before, "after": after, "delta": after - before}}


def redis_outage(stack: Stack, client: NotificationClient, count: int, found: dict[str, Any]) -> None:
    """Stop Redis (SIGSTOP), send, see the limiter's errors counted, let Redis go on, see that the errors end.

    Somebody else's Redis is left alone: it is theirs to stop, and `found` only tells what was seen.
    found: filled, step by step, with what the script prints. Raises: LakeproofError.
    """
    stops = _is_ours(stack, client.base_url)
    found |= {
        "action": "redis_outage",
        "baseUrl": client.base_url,
        "at": datetime.now(UTC).isoformat(),
        "redisStopped": stops,
        "requested": count,
    }
    before = client.counters(ERRORS, SENT)
    with _stopped_redis(stack, stops):
        sent = [_send(client, number) for number in range(count)]
        found |= {
            "sent": sent.count("sent"),
            "problems": sorted({one for one in sent if one != "sent"}),
            "slowestCallSeconds": round(client.slowest_seconds, 3),
        }
        during = client.counters(ERRORS, SENT)
    found["metrics"] = {
        name: {"before": before[name], "during": during[name], "delta": during[name] - before[name]}
        for name in (ERRORS, SENT)
    }
    errors = found["metrics"][ERRORS]["delta"]
    found["errorsEndedAfterwards"] = _errors_end(client) if errors else None


def _is_ours(stack: Stack, base_url: str) -> bool:
    """True where that URL is the service that this stack runs here, whatever name of this machine it uses."""
    if stack.settings.mode != "local":
        return False
    here = (stack.settings.host, stack.port("notification-service"))
    return is_same_place(base_url, here) and SupervisorClient(stack).running()


def is_same_place(url: str, place: tuple[str, int]) -> bool:
    """True where a URL's host and port come to `place` (host, port): localhost is 127.0.0.1. Unknown names do not."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return port == place[1] and bool(_addresses(parts.hostname or "") & _addresses(place[0]))


def _addresses(host: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()


@contextmanager
def _stopped_redis(stack: Stack, stops: bool) -> Iterator[None]:
    """The stop is recorded like every fault, so that `lakeproof fault remove hung_process` ends it after a crash."""
    if not stops:
        yield
        return
    records.inject(stack, processes.HungProcess, {"component": "redis"}, by="notification-chaos-redis")
    try:
        yield
    finally:
        records.remove(stack, processes.HungProcess, {"component": "redis"})


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
