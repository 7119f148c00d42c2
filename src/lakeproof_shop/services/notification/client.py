"""The notification service as a caller sees it: rehearsals and the synthetic probe need nothing but its URL."""

import time
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from lakeproof.errors import CouldNotLook, TransientError

SECONDS = 15.0
# Rehearsals and probes use customer ids from here on, which no real customer has.
FIRST_CUSTOMER = 9_000_000_000


def probed_customer(at: datetime) -> int:
    """The customer id of a probe that begins then. It is a new one each time, because each id has a rate limit."""
    return FIRST_CUSTOMER + int(at.timestamp() * 1000) % 1_000_000_000


class NotificationClient:
    """Calls of the service at `base_url`; `slowest_seconds` is the time of the slowest call so far."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.slowest_seconds = 0.0
        self._client = httpx.Client(base_url=self.base_url, timeout=SECONDS, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def create(self, customer_id: int, subject: str) -> str:
        """Make a test notification by e-mail. Gives its id. Raises: TransientError."""
        body = {
            "client_key": f"rehearsal-{uuid.uuid4().hex}",
            "customer_id": customer_id,
            "channel": "email",
            "to": f"rehearsal-{customer_id}@shop.example",
            "subject": subject,
            "body": "This is a rehearsal.",
            "topic": "test",
        }
        return str(self._change("/notifications", body)["id"])

    def send(self, notification_id: str) -> dict[str, Any]:
        """Send a notification. Gives the notification after it. Raises: TransientError where it was not sent."""
        return self._change(f"/notifications/{notification_id}/send", None)

    def create_batch(self, customers: Sequence[int], subject: str, topic: str, spread_seconds: int) -> str:
        """Make a batch to these customers, some maybe several times. Gives its id. Raises: TransientError."""
        body = {
            "client_key": f"rehearsal-{uuid.uuid4().hex}",
            "channel": "email",
            "topic": topic,
            "subject": subject,
            "body": "This is a rehearsal.",
            "recipients": [{"customer_id": one, "to": f"rehearsal-{one}@shop.example"} for one in customers],
            "spread_seconds": spread_seconds,
        }
        return str(self._change("/notifications/batches", body)["batch_id"])

    def spread(self, batch_id: str, spread_seconds: int, after_seconds: int) -> dict[str, Any]:
        """Spread the waiting notifications of a batch anew. Gives the batch after it. Raises: TransientError."""
        body = {"spread_seconds": spread_seconds, "after_seconds": after_seconds}
        return self._change(f"/notifications/batches/{batch_id}/spread", body)

    def withdraw(self, batch_id: str) -> dict[str, Any]:
        """Call a batch off. Gives the batch after it. Raises: TransientError."""
        return self._change(f"/notifications/batches/{batch_id}/withdraw", None)

    def opt_out(self, customer_id: int, *topics: str) -> None:
        """Opt a customer out of exactly these topics by e-mail, or of none. Raises: TransientError."""
        body = {"opted_out": [{"topic": topic, "channel": "email"} for topic in topics]}
        self._change(f"/notifications/preferences/{customer_id}", body, method="PUT")

    def fail(self, notification_id: str, reason: str) -> dict[str, Any]:
        """Count a notification as failed. Gives the notification after it. Raises: TransientError."""
        return self._change(f"/notifications/{notification_id}/fail", {"reason": reason})

    def counters(self, *names: str) -> dict[str, float]:
        """The present value of each metric in /metrics, summed over its labels. Raises: CouldNotLook."""
        try:
            answer = self._client.get("/metrics")
            answer.raise_for_status()
            families = list(text_string_to_metric_families(answer.text))
        except (httpx.HTTPError, ValueError) as error:
            raise CouldNotLook(f"no metrics: {type(error).__name__}", where=f"{self.base_url}/metrics") from error
        sums = dict.fromkeys(names, 0.0)
        for sample in (one for family in families for one in family.samples):
            if sample.name in sums:
                sums[sample.name] += sample.value
        return sums

    def _change(self, path: str, body: dict[str, Any] | None, method: str = "POST") -> dict[str, Any]:
        where, started = f"{self.base_url}{path}", time.monotonic()
        try:
            answer = self._client.request(method, path, json=body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TransientError(
                f"no answer ({type(error).__name__})", where=where, next_action="see that the service runs there"
            ) from error
        finally:
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - started)
        if not answer.is_success:
            raise TransientError(f"answered {answer.status_code}: {answer.text[:300]}", where=where)
        found: dict[str, Any] = answer.json()
        return found
