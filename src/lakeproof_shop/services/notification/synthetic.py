"""The synthetic probe: one notification made and sent as a caller would, and the metrics that must have moved."""

import time
from datetime import UTC, datetime
from typing import Any

from lakeproof.errors import TransientError
from lakeproof_shop.services.notification.client import NotificationClient, probed_customer

METRICS = ("notification_sent_total", "notification_send_latency_seconds_count")


def probe(client: NotificationClient, found: dict[str, Any]) -> None:
    """Fill `found` with the results, step by step. `ok`: the notification was sent and each metric went up.

    Raises: CouldNotLook without metrics; `found` then keeps the results so far.
    """
    at, status, problem = datetime.now(UTC), "not made", ""
    found |= {"probe": "notification", "baseUrl": client.base_url, "at": at.isoformat(), "status": status}
    before = client.counters(*METRICS)
    customer, started = probed_customer(at), time.monotonic()
    try:
        found["notificationId"] = made = client.create(customer, "Synthetic probe")
        created = time.monotonic()
        found["createSeconds"] = round(created - started, 4)
        status = client.send(made)["status"]
        found["sendSeconds"] = round(time.monotonic() - created, 4)
    except TransientError as error:
        problem = error.message
    found |= {"status": status, "problem": problem}
    after = client.counters(*METRICS)
    found["metrics"] = metrics = {
        name: {"before": before[name], "after": after[name], "delta": after[name] - before[name]} for name in METRICS
    }
    moved = all(one["delta"] >= 1 for one in metrics.values())
    if not problem and status != "sent":
        problem = f"it was made, and is {status}"
    elif not problem and not moved:
        problem = "it was sent, and the metrics did not go up"
    found |= {"ok": status == "sent" and moved, "problem": problem}
