"""Questions to Flink's JobManager about the lake's jobs, one for each database: state, failures, checkpoints.

Flink 1.20: the adaptive scheduler shows CREATED while it waits for a TaskManager, and RUNNING between two restarts.
So the state at one moment does not tell that a job restarts again and again. The times in the job's exception history
do. A JobManager that was itself restarted begins with an empty history.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lakeproof.errors import CouldNotLook
from lakeproof.lake.job.flink_rest import root_cause
from lakeproof.lake.job.passing_over import is_behind
from lakeproof.lake.sources.source import SOURCES, Source
from lakeproof.probes.condition import Condition, Operator
from lakeproof.probes.http import get_json
from lakeproof.probes.probe import Probe, of_source
from lakeproof.probes.reading import Value
from lakeproof.stack.engines.flink import JOBMANAGER, TASKMANAGER
from lakeproof.stack.stack import Stack

RUNNING = "running"
RESTARTING = "restarting"
ENDED = "ended"
# Flink's word → ours. Whatever is not here has ended, or is about to.
STATES = {
    "RUNNING": RUNNING,
    "INITIALIZING": RESTARTING,
    "CREATED": RESTARTING,
    "RESTARTING": RESTARTING,
    "RECONCILING": RESTARTING,
    "FAILING": RESTARTING,
}
OVERDUE_SECONDS = 30
# How far back `job-failures` counts.
FAILURES_SECONDS = 60
# Flink's clock may be ahead of ours by this much. A failure with a later time happened before the clock was set back,
# and nobody knows how long ago.
AHEAD_SECONDS = 2
# So many failures in FAILURES_SECONDS are no single event: the kill of a TaskManager is one entry. A job that cannot
# run fails more often: Flink waits 10 s at most before it starts the job again (stack/engines/flink_config.py).
MANY_FAILURES = 2
# A job is over its failures once it has completed a checkpoint since and has not failed for this long. A job whose
# commits fail completes checkpoints too, but fails again sooner.
OVER_SECONDS = 20
NO_EXCEPTION = "none"
PASSED_OVER = "passed over, and not brought yet"
LONGEST_EXCEPTION = 200
# The metrics that Flink counts in milliseconds of each second.
BUSY, HELD_BACK = "busyTimeMsPerSecond", "backPressuredTimeMsPerSecond"
GARBAGE = "Status.JVM.GarbageCollector.All.TimeMsPerSecond"
BUSY_PERCENT = 10
# What the job's reader says of a value that is not of the declared type (RowReader.java).
REFUSED = re.compile(r"IOException: (\w+\.\w+\.\w+: .* is not [A-Z_]+)")
# What the job says where the topic does not hold what it has to read: rows of a transaction
# (TransactionAligner.java), or the record at the job's own place (Kafka's client).
TORN = re.compile(
    r"IOException: events of a transaction are missing, .*?(transaction \S+: END counts \{.*?\}, came \{.*?\})"
)
PLACE_GONE = re.compile(r"(?:OffsetOutOfRange|LogTruncation)Exception: (.*)")


def _ask(stack: Stack, path: str, timeout: float) -> Any:
    url = f"{stack.url(JOBMANAGER)}{path}"
    found = get_json(url, timeout)
    if found is None:
        raise CouldNotLook("there is no such job any more", where=url)
    return found


def _job(stack: Stack, timeout: float, source: Source) -> Any:
    """The newest job of that database as /jobs/overview tells it; None where there is none.

    A job that has ended counts only where none lives: if the clock was set back, the ended one may have begun later.
    """
    jobs = [job for job in _ask(stack, "/jobs/overview", timeout)["jobs"] if job["name"] == source.job]
    return max(jobs, key=lambda job: (str(job["state"]) in STATES, int(job["start-time"])), default=None)


def _checkpoints(stack: Stack, timeout: float, job: Any) -> Any:
    return _ask(stack, f"/jobs/{job['jid']}/checkpoints", timeout)


def _completed(checkpoints: Any) -> Any:
    return (checkpoints.get("latest") or {}).get("completed") or {}


def _completed_ms(checkpoints: Any) -> int:
    """When the job's last complete checkpoint ended, in epoch milliseconds; 0 where none did since the job began."""
    return int(_completed(checkpoints).get("latest_ack_timestamp") or 0)


def _restored_ms(checkpoints: Any) -> int:
    """When the job last began from a checkpoint or savepoint; 0 where it never did."""
    return int(((checkpoints.get("latest") or {}).get("restored") or {}).get("restore_timestamp") or 0)


def job_state(stack: Stack, timeout: float, source: Source) -> Value:
    """running, restarting or ended; None where the JobManager knows no such job."""
    job = _job(stack, timeout, source)
    return None if job is None else STATES.get(str(job["state"]), ENDED)


def job_restarts(stack: Stack, timeout: float, source: Source) -> Value:
    """How often the job was restarted since it was submitted; None where there is no job."""
    job = _job(stack, timeout, source)
    if job is None:
        return None
    found = _ask(stack, f"/jobs/{job['jid']}/metrics?get=numRestarts", timeout)
    return int(float(found[0]["value"])) if found else None


def _failures(stack: Stack, timeout: float, source: Source) -> list[Any] | None:
    """The job's exception history, one entry for each failure that restarted the job; None where there is no job."""
    job = _job(stack, timeout, source)
    if job is None:
        return None
    return list(_ask(stack, f"/jobs/{job['jid']}/exceptions", timeout)["exceptionHistory"]["entries"])


@dataclass(frozen=True)
class JobHistory:
    """What Flink tells of one job's past. Times in epoch milliseconds; 0 where there was no such event.

    id: Flink's own; a job that was submitted anew has another one. began_ms: its submission.
    failed_ms, exception: its newest failure. restored_ms: when it last took up a checkpoint's or savepoint's state.
    completed_ms, checkpoint: time and number of its newest complete checkpoint. The numbers go on after a
    restore, and begin at 1 without a state.
    """

    id: str
    state: str
    began_ms: int
    failed_ms: int
    exception: str
    restored_ms: int
    completed_ms: int
    checkpoint: int


def job_history(stack: Stack, timeout: float, source: Source) -> JobHistory | None:
    """The newest job of that database; None where the JobManager knows none. Raises: CouldNotLook."""
    job = _job(stack, timeout, source)
    if job is None:
        return None
    checkpoints = _checkpoints(stack, timeout, job)
    newest = _newest(_ask(stack, f"/jobs/{job['jid']}/exceptions", timeout)["exceptionHistory"]["entries"])
    return JobHistory(
        id=str(job["jid"]),
        state=STATES.get(str(job["state"]), ENDED),
        began_ms=int(job["start-time"]),
        failed_ms=0 if newest is None else int(newest["timestamp"]),
        exception=NO_EXCEPTION if newest is None else _root(newest),
        restored_ms=_restored_ms(checkpoints),
        completed_ms=_completed_ms(checkpoints),
        checkpoint=int(_completed(checkpoints).get("id") or 0),
    )


def _newest(failures: list[Any]) -> Any:
    """The newest failure; one with a future time (AHEAD_SECONDS) only where there is no other. None without any."""
    latest_ms = _latest_ms()
    return max(failures, key=lambda each: (int(each["timestamp"]) <= latest_ms, int(each["timestamp"])), default=None)


def _latest_ms() -> float:
    return (time.time() + AHEAD_SECONDS) * 1000


def _root(failure: Any) -> str:
    return root_cause(str(failure["stacktrace"])).removeprefix("Caused by: ")[:LONGEST_EXCEPTION]


def job_failures(stack: Stack, timeout: float, source: Source) -> Value:
    """How often the job failed in the last FAILURES_SECONDS, by the times in its history; None where there is no job.

    0 where the job is over its failures (OVER_SECONDS). Flink keeps the last 16 failures, so this is 16 at most.
    """
    failures = _failures(stack, timeout, source)
    if failures is None:
        return None
    now_ms, latest_ms = time.time() * 1000, _latest_ms()
    told = (int(each["timestamp"]) for each in failures)
    failed_ms = [at for at in told if now_ms - FAILURES_SECONDS * 1000 <= at <= latest_ms]
    if failed_ms and max(failed_ms) < now_ms - OVER_SECONDS * 1000:
        job = _job(stack, timeout, source)
        if job is not None and _completed_ms(_checkpoints(stack, timeout, job)) > max(failed_ms):
            return 0
    return len(failed_ms)


def job_exception(stack: Stack, timeout: float, source: Source) -> Value:
    """The root exception of its newest failure, class and message; "none" where none is known; None: no job."""
    failures = _failures(stack, timeout, source)
    if not failures:
        return None if failures is None else NO_EXCEPTION
    return _root(_newest(failures))


def refused_value(stack: Stack, timeout: float, source: Source) -> Value:
    """Which value the job could not read, by its newest failure: `table.column: VALUE is not TYPE`; "none" where no
    such value failed the job lately, or it is over that (as `job_failures`); None where there is no job.
    """
    return _named_failure(stack, timeout, source, REFUSED)


def topic_gap(stack: Stack, timeout: float, source: Source) -> Value:
    """What the job's topic lacks, by the job's newest failure: rows of a transaction, or the job's own place.

    PASSED_OVER where a repair was cut off and the lake still lacks the records that the job passed over. "none" where
    there is neither: no such gap failed the job lately, or it is over that (as `job_failures`). None without a job.
    """
    if is_behind(stack, source):
        return PASSED_OVER
    return _named_failure(stack, timeout, source, TORN, PLACE_GONE)


def _named_failure(stack: Stack, timeout: float, source: Source, *named: re.Pattern[str]) -> Value:
    failures = _failures(stack, timeout, source)
    if failures is None:
        return None
    if not failures or not job_failures(stack, timeout, source):
        return NO_EXCEPTION
    trace = str(_newest(failures)["stacktrace"])
    found = next(filter(None, (each.search(trace) for each in named)), None)
    return found[1][:LONGEST_EXCEPTION] if found else NO_EXCEPTION


def checkpoint_age(stack: Stack, timeout: float, source: Source) -> Value:
    """Seconds since the job's last complete checkpoint, less the longest wanted pause between two; None: no job.

    Before the first checkpoint: since the job was started or restored, for a restart forgets the earlier ones.
    """
    job = _job(stack, timeout, source)
    if job is None:
        return None
    told = _checkpoints(stack, timeout, job)
    at_ms = max(_completed_ms(told), _restored_ms(told), int(job["start-time"]))
    return round(max(0.0, time.time() - at_ms / 1000 - source.longest_pause_seconds(stack)), 3)


def checkpoints_failed(stack: Stack, timeout: float, source: Source) -> Value:
    """How many of its checkpoints failed; None where there is no job."""
    job = _job(stack, timeout, source)
    return None if job is None else int(_checkpoints(stack, timeout, job)["counts"]["failed"])


def job_pressure(stack: Stack, timeout: float, source: Source) -> Value:
    """The operators that are busy, or held back by the next one, BUSY_PERCENT of the time or more: in words, the
    highest share first; "none". None where there is no job. The busy operator is what holds the others back.
    """
    job = _job(stack, timeout, source)
    if job is None:
        return None
    seen = []
    for vertex in _ask(stack, f"/jobs/{job['jid']}", timeout)["vertices"]:
        path = f"/jobs/{job['jid']}/vertices/{vertex['id']}/subtasks/metrics"
        told = _ask(stack, f"{path}?get={BUSY},{HELD_BACK}&agg=max", timeout)
        # Milliseconds of each second, divided by ten, are percent. NaN until it was counted.
        shares = {one["id"]: float(one["max"]) / 10 for one in told}
        busy, held_back = (round(shares[kind]) if shares.get(kind, 0.0) > 0 else 0 for kind in (BUSY, HELD_BACK))
        if max(busy, held_back) >= BUSY_PERCENT:
            name = vertex["name"].partition(" -> ")[0]
            seen.append((max(busy, held_back), f"{name}: busy {busy} %, held back {held_back} %"))
    return "; ".join(words for _, words in sorted(seen, reverse=True)) or "none"


def garbage(stack: Stack, timeout: float) -> Value:
    """The highest share of its time, in percent, that a TaskManager spends on collecting garbage; None where there is
    no TaskManager.
    """
    shares = []
    for one in _ask(stack, "/taskmanagers", timeout)["taskmanagers"]:
        told = _ask(stack, f"/taskmanagers/{one['id']}/metrics?get={GARBAGE}", timeout)
        shares += [round(float(each["value"]) / 10, 1) for each in told]
    return max(shares, default=None)


def _probes(source: Source) -> tuple[Probe, ...]:
    name = source.job

    def probe(
        kind: str,
        query: str,
        unit: str,
        ask: Callable[..., Value],
        healthy: Condition | None = None,
        steady: Literal[True] | tuple[Value, ...] = (),
    ) -> Probe:
        about, always = source.about(TASKMANAGER), healthy is not None
        return of_source(
            source, kind, JOBMANAGER, query, ask, unit, healthy, about=about, always=always, steady=steady
        )

    return (
        probe("job-state", f"GET /jobs/overview: state of {name}", "", job_state, Condition(Operator.IS, RUNNING)),
        probe("job-restarts", f"GET /jobs/ID/metrics?get=numRestarts of {name}", "restarts", job_restarts),
        probe(
            "job-failures",
            f"GET /jobs/ID/exceptions of {name}: entries of the last {FAILURES_SECONDS} s, unless it is over them",
            "failures",
            job_failures,
            Condition(Operator.BELOW, MANY_FAILURES),
        ),
        probe("job-exception", f"GET /jobs/ID/exceptions of {name}: the newest entry", "", job_exception),
        probe(
            "refused-value",
            f"GET /jobs/ID/exceptions of {name}: the newest entry, a value that is not of the declared type",
            "",
            refused_value,
            Condition(Operator.IS, NO_EXCEPTION),
            steady=True,
        ),
        probe(
            "topic-gap",
            f"GET /jobs/ID/exceptions of {name}: the newest entry, what its topic lacks; or what a repair left",
            "",
            topic_gap,
            Condition(Operator.IS, NO_EXCEPTION),
            steady=True,
        ),
        probe(
            "checkpoint-age",
            f"GET /jobs/ID/checkpoints of {name}: since the last complete one, beyond the wanted pause",
            "s",
            checkpoint_age,
            Condition(Operator.BELOW, OVERDUE_SECONDS),
        ),
        probe(
            "checkpoints-failed",
            f"GET /jobs/ID/checkpoints of {name}: .counts.failed",
            "checkpoints",
            checkpoints_failed,
        ),
        probe(
            "job-pressure",
            f"GET /jobs/ID/vertices/ID/subtasks/metrics of {name}: {BUSY}, {HELD_BACK}",
            "",
            job_pressure,
        ),
    )


PROBES = (
    *(probe for source in SOURCES for probe in _probes(source)),
    Probe(
        "taskmanager-garbage",
        JOBMANAGER,
        f"GET /taskmanagers/ID/metrics?get={GARBAGE}",
        "%",
        garbage,
        about=(TASKMANAGER,),
    ),
)
