"""The state of the stack at the time of an incident: the violating value, the published hash, the checkpoint.

Each is a reading; where a question has no answer the reading says why, and nothing is guessed.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.probes.reading import Reading, Value
from lakeproof.stack.stack import Stack

TIMEOUT_SECONDS = 3.0
# In a storm of alerts the lake is asked once for all that opened within so long.
SHARED_SECONDS = 2.0


class Looker:
    """Looks at one stack, again and again, from one thread."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._shared: dict[str, Reading] = {}
        self._shared_at = float("-inf")

    def look(self, expression: str, labels: Mapping[str, str], at: datetime) -> dict[str, Reading]:
        """Readings `violation` (only with an expression; the value at `at`), `published` and `checkpoint` (now)."""
        found = {}
        if expression:
            query = f"{expression} @ {at.isoformat(timespec='milliseconds')}"
            found["violation"] = _read(
                "violation", "prometheus", query, lambda: self._violation(expression, labels, at), when=at
            )
        if time.monotonic() - self._shared_at > SHARED_SECONDS:
            self._shared = {
                "published": _read("published_hash", "nessie", "newest commit of main", self._published),
                "checkpoint": _read(
                    "completed_checkpoint", "flink-jobmanager", "GET /jobs/ID/checkpoints", self._checkpoint
                ),
            }
            self._shared_at = time.monotonic()
        return found | self._shared

    def _get(self, url: str, **params: str) -> Any:
        return self._client.get(url, params=params).raise_for_status().json()

    def _violation(self, expression: str, labels: Mapping[str, str], at: datetime) -> Value:
        url = f"{self._stack.url('prometheus')}/api/v1/query"
        data = self._get(url, query=expression, time=f"{at.timestamp():.3f}")
        result = data["data"]["result"]
        if data["data"]["resultType"] != "vector" or not result:
            raise LookupError("no series violated it at that time")
        # The alert carries its series' labels and more: the series whose labels all agree is the one.
        matching = [
            one for one in result if all(labels.get(k) == v for k, v in one["metric"].items() if k != "__name__")
        ]
        return float((matching or result)[0]["value"][1])

    def _published(self) -> Value:
        from lakeproof.lake.publish import history

        return history.newest(self._stack).hash

    def completed_checkpoint(self) -> tuple[int, datetime]:
        """The job's newest completed checkpoint: its id, and when it was complete. Raises: CouldNotLook."""
        try:
            completed = self._completed()
            at = datetime.fromtimestamp(int(completed["latest_ack_timestamp"]) / 1000, UTC)
            return int(completed["id"]), at
        except (LakeproofError, httpx.HTTPError, LookupError, ValueError, TypeError) as error:
            raise CouldNotLook(_reason(error), where="flink-jobmanager") from error

    def _checkpoint(self) -> Value:
        return int(self._completed()["id"])

    def _completed(self) -> Any:
        url = self._stack.url("flink-jobmanager")
        jobs = self._get(f"{url}/jobs/overview")["jobs"]
        if not jobs:
            raise LookupError("no job is known there")
        newest = max(jobs, key=lambda job: (job["state"] == "RUNNING", job["start-time"]))
        completed = self._get(f"{url}/jobs/{newest['jid']}/checkpoints")["latest"]["completed"]
        if completed is None:
            raise LookupError(f"job {newest['name']} has completed none")
        return completed


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):  # httpx's own text ends with a link to what the number means
        return f"HTTP {error.response.status_code}: {error.request.url.path}"
    return error.message if isinstance(error, LakeproofError) else f"{type(error).__name__}: {error}"


def _read(probe: str, source: str, query: str, ask: Callable[[], Value], when: datetime | None = None) -> Reading:
    at = when or datetime.now(UTC)
    try:
        return Reading(probe, ask(), "", at, source, query)
    except (LakeproofError, httpx.HTTPError, ImportError, LookupError, ValueError, TypeError) as error:
        return Reading(probe, None, "", at, source, query, _reason(error))
