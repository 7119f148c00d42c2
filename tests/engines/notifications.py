"""What the tests of the notification service ask and make: its callers' side, its database, the mail sink."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from lakeproof.deadline import Deadline
from lakeproof.stack import postgres_session
from lakeproof.stack.stack import Stack
from lakeproof_shop.services.notification.client import NotificationClient

NAME = "notification-service"
MODULE = "lakeproof_shop.services.notification.app"
ERRORS, SENT, FAILED = (
    "notification_rate_limit_errors_total",
    "notification_sent_total",
    "notification_failure_total",
)


@contextmanager
def opened_shop(stack: Stack) -> Iterator[httpx.Client]:
    """A caller of the stack's own service, once everything that it stands on is well."""
    await_dependencies(stack)
    with httpx.Client(base_url=stack.url(NAME), timeout=15.0, trust_env=False) as client:
        yield client


def health(stack: Stack) -> httpx.Response | None:
    try:
        return httpx.get(f"{stack.url(NAME)}/health", timeout=3.0, trust_env=False)
    except httpx.HTTPError:
        return None


def await_dependencies(stack: Stack, down: frozenset[str] = frozenset(), status: int = 200) -> None:
    """Wait until /health answers with that status and exactly these dependencies are down."""
    last = ""

    def look() -> bool | None:
        nonlocal last
        answer = health(stack)
        if answer is None:
            return None
        last = answer.text
        found = {name for name, one in answer.json()["dependencies"].items() if one["problem"]}
        return True if answer.status_code == status and found == down else None

    Deadline(60).wait_for(f"/health with {set(down) or 'nothing'} down", look, seen=lambda: last)


def a_customer() -> int:
    return uuid.uuid4().int % 2**40 + 1


def a_notification(**more: Any) -> dict[str, Any]:
    return {
        "client_key": f"test-{uuid.uuid4().hex}",
        "customer_id": a_customer(),
        "channel": "email",
        "to": "customer@example.org",
        "subject": "Grüße",
        "body": "Text",
        "topic": "order",
    } | more


def created(shop: httpx.Client, **more: Any) -> str:
    answer = shop.post("/notifications", json=a_notification(**more))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def rows(stack: Stack, sql: str, *args: object) -> list[tuple[Any, ...]]:
    return postgres_session.select(
        stack, "reader", "postgres-reader", sql, *args, database="shop", schema="notification"
    )


def metric(stack: Stack, name: str, *, url: str = "") -> float:
    with NotificationClient(url or stack.url(NAME)) as client:
        return client.counters(name)[name]


def delivered(stack: Stack, notification_id: str) -> list[dict[str, Any]]:
    found = []
    for message_id in (f"<{notification_id}@notification.lakeproof>", notification_id):
        answer = httpx.get(f"{stack.url('mail-sink')}/messages", params={"message_id": message_id}, timeout=5)
        found += answer.json()["messages"]
    return found


def await_status(shop: httpx.Client, notification_id: str, status: str, seconds: float = 30) -> dict[str, Any]:
    last: dict[str, Any] = {}

    def look() -> bool | None:
        last.update(shop.get(f"/notifications/{notification_id}").json())
        return True if last["status"] == status else None

    Deadline(seconds).wait_for(f"{status}", look, seen=lambda: str(last))
    return last
