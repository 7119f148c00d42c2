"""The synthetic probe: one notification made and sent as a caller would, and the metrics that must have moved."""

import time
from datetime import UTC, datetime
from typing import Any

from lakeproof.errors import TransientError
from lakeproof.shop.notification.client import FIRST_CUSTOMER, NotificationClient

METRICS = ("notification_sent_total", "notification_send_latency_seconds_count")


def probe(client: NotificationClient) -> dict[str, Any]:
    """What was seen; `ok` is True where it was sent and each metric went up. Raises: CouldNotLook without metrics."""
    at, before = datetime.now(UTC), client.counters(*METRICS)
    found: dict[str, Any] = {"probe": "notification", "baseUrl": client.base_url, "at": at.isoformat()}
    customer, started = FIRST_CUSTOMER + int(at.timestamp() * 1000) % 1_000_000_000, time.monotonic()
    problem, status = "", "not made"
    try:
        found["notificationId"] = made = client.create(customer, "Synthetic probe")
        created = time.monotonic()
        found["createSeconds"] = round(created - started, 4)
        status = client.send(made)["status"]
        found["sendSeconds"] = round(time.monotonic() - created, 4)
    except TransientError as error:
        problem = error.message
    after = client.counters(*METRICS)
    metrics = {
        name: {"before": before[name], "after": after[name], "delta": after[name] - before[name]} for name in METRICS
    }
    moved = all(one["delta"] >= 1 for one in metrics.values())
    if not problem and status == "sent" and not moved:
        problem = "it was sent, and the metrics did not go up"
    return found | {"status": status, "metrics": metrics, "ok": status == "sent" and moved, "problem": problem}
