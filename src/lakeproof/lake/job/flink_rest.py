"""The few calls of Flink's REST API that running the lake's job needs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lakeproof.errors import TerminalError, TransientError
from lakeproof.stack import loopback
from lakeproof.stack.stack import Stack

# The states of a job that has neither ended nor is about to end.
ALIVE = frozenset({"INITIALIZING", "CREATED", "RUNNING", "RESTARTING", "RECONCILING", "SUSPENDED"})
ENDING = frozenset({"FAILING", "CANCELLING"})
# The states of an accepted job that waits for a TaskManager, or restores its state.
BEGINNING = frozenset({"INITIALIZING", "CREATED"})
_DUPLICATE = "DuplicateJobSubmissionException"


class FlinkUnreachable(TransientError):
    """The JobManager gave no usable answer in time."""


class AlreadySubmitted(TerminalError):
    """The JobManager has, or had, a job of that id."""


class FlinkRefused(TerminalError):
    """The JobManager refused the call; the message holds the root cause it gave."""


@dataclass(frozen=True)
class Job:
    """A job as the JobManager lists it. is_whole: all of its tasks run, so that it can make a checkpoint."""

    id: str
    name: str
    state: str
    is_whole: bool = True


class FlinkRest:
    """Talks to one JobManager."""

    def __init__(self, url: str, timeout_seconds: float = 10.0) -> None:
        self.url = url
        self._timeout_seconds = timeout_seconds

    def jobs(self) -> list[Job]:
        """All jobs that the JobManager remembers. Raises: FlinkUnreachable."""
        found = self._call("GET", "/jobs/overview")["jobs"]
        return [
            Job(entry["jid"], entry["name"], entry["state"], _is_whole(entry.get("tasks", {}))) for entry in found
        ]

    def is_there(self, job_id: str) -> bool:
        """Whether that job is alive or about to end, by the list of jobs: what `state` tells may be seconds old.

        Raises: FlinkUnreachable.
        """
        return any(job.id == job_id and job.state in ALIVE | ENDING for job in self.jobs())

    def state(self, job_id: str) -> str:
        """The job's state. Raises: FlinkUnreachable, FlinkRefused where it is unknown."""
        return str(self._call("GET", f"/jobs/{job_id}")["state"])

    def has_taskmanager(self) -> bool:
        """Whether a TaskManager is registered, busy or not. Raises: FlinkUnreachable."""
        return int(self._call("GET", "/overview")["taskmanagers"]) > 0

    def operators(self, job_id: str) -> str:
        """The names of all of the job's operators, in one text. Raises: FlinkUnreachable, FlinkRefused."""
        return "\n".join(str(vertex["name"]) for vertex in self._call("GET", f"/jobs/{job_id}")["vertices"])

    def failure(self, job_id: str) -> str:
        """The root cause of a job's failure. Raises: FlinkUnreachable, FlinkRefused."""
        told = self._call("GET", f"/jobs/{job_id}/exceptions")
        entries = told.get("exceptionHistory", {}).get("entries", [])
        return root_cause(entries[0].get("stacktrace", "") if entries else told.get("root-exception") or "")

    def upload(self, jar: Path) -> str:
        """Upload a jar; gives its id. Raises: FlinkUnreachable, FlinkRefused."""
        with jar.open("rb") as file:
            part = {"jarfile": (jar.name, file, "application/x-java-archive")}
            answer = self._call("POST", "/jars/upload", files=part, seconds=60.0)
        return str(answer["filename"]).rpartition("/")[2]

    def run(self, jar_id: str, body: dict[str, Any]) -> str:
        """Run an uploaded jar's main method in the JobManager; gives the job's id once it is accepted.

        Raises: FlinkRefused with the root cause, AlreadySubmitted for the body's `jobId`, FlinkUnreachable.
        """
        try:
            return str(self._call("POST", f"/jars/{jar_id}/run", json=body, seconds=120.0)["jobid"])
        except FlinkRefused as error:
            if _DUPLICATE not in error.what:
                raise
            raise AlreadySubmitted(error.what, where="flink-jobmanager") from error

    def plan(self, jar_id: str, body: dict[str, Any]) -> None:
        """Run an uploaded jar's main method only as far as the plan; its CREATE statements take effect.

        Raises: FlinkRefused with the root cause, FlinkUnreachable.
        """
        self._call("POST", f"/jars/{jar_id}/plan", json=body, seconds=120.0)

    def delete_jar(self, jar_id: str) -> None:
        """Forget an uploaded jar."""
        self._call("DELETE", f"/jars/{jar_id}")

    def stop_with_savepoint(self, job_id: str, directory: str) -> str:
        """Ask for a savepoint and the job's end after it; gives the request's id."""
        body = {"targetDirectory": directory, "drain": False, "formatType": "NATIVE"}
        return str(self._call("POST", f"/jobs/{job_id}/stop", json=body)["request-id"])

    def savepoint(self, job_id: str, request_id: str) -> str | None:
        """Where the savepoint lies; None while it is being made. Raises: FlinkRefused where it failed."""
        answer = self._call("GET", f"/jobs/{job_id}/savepoints/{request_id}")
        if answer["status"]["id"] != "COMPLETED":
            return None
        operation = answer["operation"]
        if "failure-cause" in operation:
            raise FlinkRefused(f"no savepoint: {root_cause(operation['failure-cause'].get('stack-trace', ''))}")
        return str(operation["location"])

    def checkpoint(self, job_id: str) -> str:
        """Ask for a checkpoint beside those of the job's interval; gives the request's id.

        Raises: FlinkUnreachable, FlinkRefused.
        """
        return str(self._call("POST", f"/jobs/{job_id}/checkpoints", json={})["request-id"])

    def checkpoint_ended(self, job_id: str, request_id: str) -> bool:
        """Whether that checkpoint is made. Raises: as `checkpoint_number`."""
        return self.checkpoint_number(job_id, request_id) is not None

    def checkpoint_number(self, job_id: str, request_id: str) -> int | None:
        """The number of that checkpoint; None while it is being made.

        Raises: FlinkRefused where it failed; FlinkUnreachable.
        """
        answer = self._call("GET", f"/jobs/{job_id}/checkpoints/{request_id}")
        if answer["status"]["id"] != "COMPLETED":
            return None
        if cause := answer["operation"].get("failureCause"):
            raise FlinkRefused(f"it failed: {root_cause(cause.get('stack-trace', ''))}")
        return int(answer["operation"]["checkpointId"])

    def cancel(self, job_id: str) -> None:
        """End the job without a savepoint; its checkpoints stay."""
        self._call("PATCH", f"/jobs/{job_id}", params={"mode": "cancel"})

    def _call(self, method: str, path: str, *, seconds: float | None = None, **arguments: Any) -> dict[str, Any]:
        try:
            timeout = seconds or self._timeout_seconds
            response = loopback.request(method, f"{self.url}{path}", timeout=timeout, **arguments)
        except httpx.HTTPError as error:
            raise FlinkUnreachable(
                f"no answer to {method} {path} ({type(error).__name__})", where=f"flink-jobmanager at {self.url}"
            ) from error
        if response.is_success:
            try:
                answer: dict[str, Any] = response.json() if response.content else {}
            except ValueError:
                raise FlinkUnreachable(
                    f"something else answers {method} {path}", where=f"flink-jobmanager at {self.url}"
                ) from None
            return answer
        try:
            told = "\n".join(response.json().get("errors", ()))
        except ValueError:
            told = response.text
        kind = FlinkUnreachable if response.status_code == 503 else FlinkRefused
        raise kind(f"{method} {path} → {response.status_code}: {root_cause(told)}", where="flink-jobmanager")


def _is_whole(tasks: dict[str, int]) -> bool:
    return not tasks or tasks["running"] + tasks["finished"] == tasks["total"]


def can_be_asked(stack: Stack) -> bool:
    """Whether there is a JobManager to ask: a stack that is somebody else's may name none."""
    return stack.settings.mode == "local" or "flink-jobmanager" in stack.settings.endpoints


def rest_of(stack: Stack, timeout_seconds: float = 10.0) -> FlinkRest:
    """A client of this stack's JobManager."""
    return FlinkRest(stack.url("flink-jobmanager"), timeout_seconds)


def root_cause(trace: str) -> str:
    """The innermost "Caused by" of a Java stack trace, else its first line."""
    causes = [line for line in trace.splitlines() if line.startswith("Caused by:")]
    lines = causes or [line for line in trace.splitlines() if line.strip()]
    return (lines[-1] if causes else lines[0] if lines else "no reason given").strip()[:500]
