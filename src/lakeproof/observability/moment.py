"""The state of the stack at the time of an incident: the violating value, the published hash, the jobs' checkpoints.

Each is a reading; where a question has no answer the reading says why, and nothing is guessed.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from lakeproof.errors import CouldNotLook, LakeproofError
from lakeproof.lake.publish import history
from lakeproof.lake.sources.source import SOURCES, present
from lakeproof.probes.reading import Reading, Value
from lakeproof.stack.stack import Stack

TIMEOUT_SECONDS = 3.0
# In a storm of alerts the lake is asked once for all incidents that are looked up within this time.
SHARED_SECONDS = 2.0
JOBMANAGER = "flink-jobmanager"

type Completed = tuple[int, datetime]


class Looker:
    """Looks at one stack, again and again, from one thread."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)
        self._shared: dict[str, Reading] = {}
        self._shared_at = float("-inf")

    def look(self, expression: str, alerts: Sequence[Mapping[str, str]], at: datetime) -> dict[str, Reading]:
        """Readings `violation` (only with an expression; the value at `at`), `published` and `checkpoint` (now).

        `alerts`: the labels of each alert. Those of the first alert choose the series that violated the expression.
        Those of all alerts choose the jobs whose checkpoints are read (`jobs_of`).
        """
        found = {}
        if expression:
            query = f"{expression} @ {at.isoformat(timespec='milliseconds')}"
            found["violation"] = _read(
                "violation", "prometheus", query, lambda: self._violation(expression, alerts[0], at), when=at
            )
        if time.monotonic() - self._shared_at > SHARED_SECONDS:
            self._shared = {"published": _read("published_hash", "nessie", "newest commit of main", self._published)}
            self._shared_at = time.monotonic()
        jobs = dict.fromkeys(job for labels in alerts or ({},) for job in jobs_of(self._stack, labels))
        asked = f"checkpoint of {', '.join(jobs)}"
        if asked not in self._shared:
            self._shared[asked] = _read(
                "completed_checkpoint", JOBMANAGER, "GET /jobs/ID/checkpoints", lambda: self._checkpoint(jobs)
            )
        return found | {"published": self._shared["published"], "checkpoint": self._shared[asked]}

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
        if not matching:
            raise LookupError("no series with the alert's labels violated it at that time")
        return float(matching[0]["value"][1])

    def _published(self) -> Value:
        return history.newest(self._stack).hash

    def completed_checkpoints(self, jobs: Iterable[str]) -> dict[str, Completed | None]:
        """Job → its newest completed checkpoint: the id, and when it was complete.

        None: the job has completed none since it was submitted, or the JobManager knows no such job.
        Raises: CouldNotLook.
        """
        try:
            return {job: one and _when(one) for job, one in self._completed(jobs).items()}
        except (LakeproofError, httpx.HTTPError, LookupError, ValueError, TypeError) as error:
            raise CouldNotLook(_reason(error), where=JOBMANAGER) from error

    def _checkpoint(self, jobs: Iterable[str]) -> Value:
        found = self._completed(jobs)
        return ", ".join(f"{job} {'none' if one is None else int(one['id'])}" for job, one in found.items())

    def _completed(self, jobs: Iterable[str]) -> dict[str, Any]:
        """What Flink tells of the last completed checkpoint of each job. Of jobs of one name the newest counts."""
        url = self._stack.url(JOBMANAGER)
        known = sorted(self._get(f"{url}/jobs/overview")["jobs"], key=lambda job: int(job["start-time"]))
        ids = {job["name"]: job["jid"] for job in known}
        return {
            job: self._get(f"{url}/jobs/{ids[job]}/checkpoints")["latest"]["completed"] if job in ids else None
            for job in jobs
        }


def _when(completed: Mapping[str, Any]) -> Completed:
    return int(completed["id"]), datetime.fromtimestamp(int(completed["latest_ack_timestamp"]) / 1000, UTC)


def jobs_of(stack: Stack, labels: Mapping[str, str]) -> tuple[str, ...]:
    """The Flink jobs that an alert with these labels is about.

    `job_name` names the job; `database` and `connector` name the captured database that it writes. An alert without
    such a label is about the job of every database that is captured now.
    """
    if job := labels.get("job_name"):
        return (job,)
    for source in SOURCES:
        if labels.get("database") == source.name or labels.get("connector") == source.connector:
            return (source.job,)
    return tuple(source.job for source in present(stack))


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
