"""The support service as a user meets it: open a case, read its timeline a few times, refresh it, list attachments.

It leaves a closed case of a customer that does not exist (`customer_id` 1, subject "synthetic probe").
"""

import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from lakeproof.errors import TransientError

TIMELINE_LIMIT_SECONDS = 2.0  # the alert's
LIST_LIMIT_SECONDS = 1.0
CALL_SECONDS = 15.0
CUSTOMER, SUBJECT = 1, "synthetic probe"


@dataclass
class Probe:
    """One run against `base_url`. `samples`: how often the timeline is read."""

    base_url: str
    order_id: int
    samples: int
    checks: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """What the script prints. Raises: TransientError where the service does not answer."""
        started_at = datetime.now(UTC).isoformat()
        with httpx.Client(base_url=self.base_url, timeout=CALL_SECONDS, trust_env=False) as client:
            try:
                health = client.get("/health").json()
                case, timeline = self._use(client)
            except (httpx.HTTPError, ValueError) as error:
                raise TransientError(
                    f"no answer as expected ({type(error).__name__}: {error})",
                    where=self.base_url,
                    next_action="lakeproof ps; lakeproof logs support-service",
                ) from error
        self._check("health", health.get("status") == "healthy", health.get("status"), "healthy")
        return {
            "baseUrl": self.base_url,
            "at": started_at,
            "ok": all(check["ok"] for check in self.checks),
            "caseId": case,
            "orderId": self.order_id,
            "unhealthy": {
                name: one["problem"] for name, one in health.get("dependencies", {}).items() if one.get("problem")
            },
            **timeline,
            "checks": self.checks,
        }

    def _use(self, client: httpx.Client) -> tuple[int, dict[str, Any]]:
        opened = {"customer_id": CUSTOMER, "order_id": self.order_id, "subject": SUBJECT}
        case = int(self._asked(lambda: client.post("/support/cases", json=opened, headers=_key()))[0]["id"])
        path = f"/support/cases/{case}"
        reads = [
            self._asked(lambda: client.get(path, params={"includeTimeline": "true"})) for _ in range(self.samples)
        ]
        fresh, fresh_seconds = self._asked(lambda: client.post(f"{path}/timeline/refresh"))
        listed, list_seconds = self._asked(lambda: client.get(f"{path}/attachments"))
        self._asked(lambda: client.post(f"{path}/close", headers=_key()))
        slowest = max(seconds for _, seconds in reads)
        missing = {name: one["why"] for name, one in fresh["sources"].items() if one["state"] != "ok"}
        self._check("timeline_seconds", slowest <= TIMELINE_LIMIT_SECONDS, round(slowest, 4), TIMELINE_LIMIT_SECONDS)
        self._check("timeline_complete", fresh["complete"], fresh["complete"], True)
        self._check(
            "attachment_list_seconds", list_seconds <= LIST_LIMIT_SECONDS, round(list_seconds, 4), LIST_LIMIT_SECONDS
        )
        return case, {
            "timelineSeconds": {
                "median": round(statistics.median(seconds for _, seconds in reads), 4),
                "slowest": round(slowest, 4),
                "refresh": round(fresh_seconds, 4),
            },
            "cameFrom": [read["timeline"]["came_from"] for read, _ in reads],
            "entries": len(fresh["entries"]),
            "missing": missing,
            "attachments": len(listed["attachments"]),
        }

    def _asked(self, call: Callable[[], httpx.Response]) -> tuple[dict[str, Any], float]:
        started = time.perf_counter()
        answer = call()
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body, time.perf_counter() - started

    def _check(self, name: str, ok: bool, value: object, limit: object) -> None:
        self.checks.append({"name": name, "ok": ok, "value": value, "limit": limit})


def _key() -> dict[str, str]:
    return {"Idempotency-Key": f"probe-{uuid.uuid4().hex}"}
