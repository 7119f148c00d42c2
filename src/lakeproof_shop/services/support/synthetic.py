"""The support service as a user meets it: open a case, read its timeline a few times, refresh it, list attachments.

The probe leaves a closed case of a customer that does not exist (`customer_id` from 9,000,000,000 on, subject
"synthetic probe"). The shop mails that customer about the case, as it would any other.
"""

import statistics
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from lakeproof_shop.services.notification.client import probed_customer

TIMELINE_LIMIT_SECONDS = 2.0  # the same limit as the alert's
LIST_LIMIT_SECONDS = 1.0
CALL_SECONDS = 15.0
SUBJECT = "synthetic probe"


class _Failed(Exception):
    """A step had no answer that a user could use."""


@dataclass
class Probe:
    """One run against the service at `base_url`. `samples`: how often the timeline is read."""

    base_url: str
    order_id: int
    samples: int
    checks: list[dict[str, Any]] = field(default_factory=list)

    def run(self, found: dict[str, Any]) -> None:
        """Fill `found`, which the script prints, step by step. A service that is away or fails raises no error,
        because a probe is there to find that: `problem` then says which step failed.
        """
        at = datetime.now(UTC)
        found |= {
            "probe": "support-timeline",
            "baseUrl": self.base_url,
            "at": at.isoformat(),
            "ok": False,
            "orderId": self.order_id,
            "customerId": probed_customer(at),
            "checks": self.checks,
        }
        problem = ""
        with httpx.Client(base_url=self.base_url, timeout=CALL_SECONDS, trust_env=False) as client:
            try:
                self._look_at_health(client, found)
                self._use(client, found)
            except _Failed as error:
                problem = str(error)
            except (KeyError, TypeError, AttributeError) as error:
                problem = f"it answers something else than the support service does: {type(error).__name__} {error}"
        found["ok"] = not problem and all(check["ok"] for check in self.checks)
        found["problem"] = problem or ", ".join(check["name"] for check in self.checks if not check["ok"])

    def _look_at_health(self, client: httpx.Client, found: dict[str, Any]) -> None:
        """Ask for health. An unhealthy service answers 503 with its problems; the probe goes on as a user would."""
        health, _ = self._asked("health", lambda: client.get("/health"), refused=(503,))
        found["unhealthy"] = {
            name: one["problem"] for name, one in health.get("dependencies", {}).items() if one.get("problem")
        }
        self._check("health", health.get("status") == "healthy", health.get("status"), "healthy")

    def _use(self, client: httpx.Client, found: dict[str, Any]) -> None:
        opened = {"customer_id": found["customerId"], "order_id": self.order_id, "subject": SUBJECT}
        made, _ = self._asked("open a case", lambda: client.post("/support/cases", json=opened, headers=_key()))
        found["caseId"] = case = made["id"]
        path = f"/support/cases/{case}"
        try:
            self._read(client, path, found)
        except _Failed:
            with suppress(_Failed):  # the first failure is the one that is reported
                self._close(client, path)
            raise
        self._close(client, path)

    def _close(self, client: httpx.Client, path: str) -> None:
        self._asked("close the case", lambda: client.post(f"{path}/close", headers=_key()))

    def _read(self, client: httpx.Client, path: str, found: dict[str, Any]) -> None:
        took: list[float] = []
        found["cameFrom"] = came_from = []
        for _ in range(self.samples):
            read, seconds = self._asked("timeline", lambda: client.get(path, params={"includeTimeline": "true"}))
            took.append(seconds)
            came_from.append(read["timeline"]["came_from"])
        slowest = max(took)
        found["timelineSeconds"] = {"median": round(statistics.median(took), 4), "slowest": round(slowest, 4)}
        self._check("timeline_seconds", slowest <= TIMELINE_LIMIT_SECONDS, round(slowest, 4), TIMELINE_LIMIT_SECONDS)
        fresh, seconds = self._asked("refresh", lambda: client.post(f"{path}/timeline/refresh"))
        found["timelineSeconds"]["refresh"] = round(seconds, 4)
        found["entries"] = len(fresh["entries"])
        found["missing"] = {name: one["why"] for name, one in fresh["sources"].items() if one["state"] != "ok"}
        self._check("timeline_complete", fresh["complete"], fresh["complete"], True)
        listed, seconds = self._asked("attachments", lambda: client.get(f"{path}/attachments"))
        found["attachments"] = len(listed["attachments"])
        self._check("attachment_list_seconds", seconds <= LIST_LIMIT_SECONDS, round(seconds, 4), LIST_LIMIT_SECONDS)

    def _asked(
        self, step: str, call: Callable[[], httpx.Response], refused: tuple[int, ...] = ()
    ) -> tuple[dict[str, Any], float]:
        """The body of a success, or of a status in `refused`, and the seconds that it took. Raises: _Failed."""
        started = time.perf_counter()
        try:
            answer = call()
            body = answer.json() if answer.is_success or answer.status_code in refused else None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Failed(f"{step}: no answer ({type(error).__name__}: {error})") from error
        except ValueError as error:
            raise _Failed(f"{step}: answered {answer.status_code} without JSON") from error
        if not isinstance(body, dict):
            raise _Failed(f"{step}: answered {answer.status_code}: {answer.text[:300]}")
        return body, time.perf_counter() - started

    def _check(self, name: str, ok: bool, value: object, limit: object) -> None:
        self.checks.append({"name": name, "ok": ok, "value": value, "limit": limit})


def _key() -> dict[str, str]:
    return {"Idempotency-Key": f"probe-{uuid.uuid4().hex}"}
