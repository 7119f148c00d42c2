"""How often a job failed, and by what, as Flink's exception history tells it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Answering
from tests.doubles.plugins import OURS

from lakeproof.lake.job.passing_over import begin_passing_over
from lakeproof.lake.sources.source import OLTP, SHOP
from lakeproof.probes.flink import garbage, job_exception, job_failures, job_pressure, refused_value, topic_gap
from lakeproof.probes.probe import all_probes
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

TRACE = """org.apache.flink.util.FlinkException: a task failed
\tat org.apache.flink.A.a(A.java:1)
Caused by: java.io.IOException: could not commit
\tat org.apache.paimon.B.b(B.java:2)
Caused by: java.lang.IllegalStateException: parts of one transaction
\t... 3 more
"""


class JobManager:
    """It runs both jobs, whose failures lie so many seconds back."""

    def __init__(self, **failed: list[float]) -> None:
        self.failed = failed
        self.history: object = None
        # Seconds since the last complete checkpoint of each; none since it began.
        self.completed: float | None = None

    def answer(self, _method: str, path: str, _body: bytes) -> tuple[int, object]:
        if path == "/jobs/overview":
            # Between two restarts.
            job = {"state": "RUNNING", "start-time": 1}
            return 200, {"jobs": [{"jid": name, "name": f"lake-{name}", **job} for name in self.failed]}
        name = path.split("/")[2]
        if path == f"/jobs/{name}/checkpoints":
            ago = self.completed
            done = None if ago is None else {"latest_ack_timestamp": int((time.time() - ago) * 1000)}
            return 200, {"latest": {"completed": done}}
        assert path == f"/jobs/{name}/exceptions"
        return 200, self.history or {"exceptionHistory": {"entries": [entry(ago) for ago in self.failed[name]]}}


def entry(ago: float) -> dict[str, Any]:
    trace = TRACE.replace("parts", f"{ago:.0f} s ago, parts")
    return {"exceptionName": "org.x.E", "stacktrace": trace, "timestamp": int((time.time() - ago) * 1000)}


@pytest.fixture
def stack_of(tmp_path: Path, answering: Answering) -> Callable[[JobManager], Stack]:
    return lambda manager: Stack(
        Settings(state_dir=tmp_path, endpoints={"flink-jobmanager": {"http": answering(manager.answer)}})
    )


def test_failures_of_the_last_minute_count_although_the_job_says_running(
    stack_of: Callable[[JobManager], Stack],
) -> None:
    stack = stack_of(JobManager(oltp=[1, 9, 20, 50, 70, 4000], shop=[61]))
    assert job_failures(stack, 3.0, OLTP) == 4
    assert job_failures(stack, 3.0, SHOP) == 0
    known = all_probes(OURS)
    for name, healthy in (("oltp-job-failures", False), ("shop-job-failures", True)):
        reading = known[name].look(stack)
        condition = known[name].healthy
        assert condition is not None and condition.holds(reading, reading) is healthy
    # Its state alone would have called it well.
    assert known["oltp-job-state"].look(stack).value == "running"


@pytest.mark.parametrize(
    ("failed", "completed", "counted"),
    [
        # Recovered: a checkpoint since, and no failure for a while.
        ([25, 35, 45], 3, 0),
        # It only looks so: it fails again and again, each time after a checkpoint.
        ([9, 20, 31], 3, 3),
        # No checkpoint since its last failure, or none at all.
        ([25, 35], 30, 2),
        ([25, 35], None, 2),
    ],
)
def test_a_job_that_is_over_its_failures_is_healthy_again(
    stack_of: Callable[[JobManager], Stack], failed: list[float], completed: float | None, counted: int
) -> None:
    manager = JobManager(oltp=failed)
    manager.completed = completed
    assert job_failures(stack_of(manager), 3.0, OLTP) == counted


def test_failures_of_before_the_clock_was_set_back_are_not_of_the_last_minute(
    stack_of: Callable[[JobManager], Stack],
) -> None:
    """They stay in Flink's history, later than now, for as long as the clock was set back."""
    manager = JobManager(oltp=[-3600, -3590, -3580], shop=[-3600, 5, 30, -1])
    stack = stack_of(manager)
    assert (job_failures(stack, 3.0, OLTP), refused_value(stack, 3.0, OLTP)) == (0, "none")
    # Nor do they hide what has failed since. Two machines may differ by a second.
    assert job_failures(stack, 3.0, SHOP) == 3
    assert "-1 s ago" in str(job_exception(stack, 3.0, SHOP))
    # Where there is no other one, it is told what the job failed by before.
    assert "-3600 s ago" in str(job_exception(stack, 3.0, OLTP))
    # The job is over the failures of now, whatever stands in its future.
    manager.failed = {"oltp": [-3600, 25, 35]}
    manager.completed = 3
    assert job_failures(stack, 3.0, OLTP) == 0


def test_the_operator_that_holds_the_others_back_is_told_first(tmp_path: Path, answering: Answering) -> None:
    """Ratios are not there until they were counted once, and a quiet operator is not told."""
    shares = {"source": (40.0, 930.4), "writer": (955.0, 0.0), "committer": (99.0, 12.0), "new": ("NaN", "NaN")}
    vertices = [{"id": name, "name": f"{name} : orders -> end: Writer"} for name in shares]

    def answer(_method: str, path: str, _body: bytes) -> tuple[int, object]:
        if path == "/jobs/overview":
            return 200, {"jobs": [{"jid": "a", "name": "lake-oltp", "state": "RUNNING", "start-time": 1}]}
        if path == "/jobs/a":
            return 200, {"vertices": vertices}
        if path == "/taskmanagers":
            return 200, {"taskmanagers": [{"id": "one"}, {"id": "two"}]}
        if path.startswith("/taskmanagers/"):
            assert path.endswith("/metrics?get=Status.JVM.GarbageCollector.All.TimeMsPerSecond")
            return 200, [{"id": "x", "value": "312.04"}] if "/two/" in path else []
        assert path.endswith("/subtasks/metrics?get=busyTimeMsPerSecond,backPressuredTimeMsPerSecond&agg=max")
        busy, held_back = shares[path.split("/")[4]]
        return 200, [
            {"id": "busyTimeMsPerSecond", "max": busy},
            {"id": "backPressuredTimeMsPerSecond", "max": held_back},
        ]

    stack = Stack(Settings(state_dir=tmp_path, endpoints={"flink-jobmanager": {"http": answering(answer)}}))
    told = "writer : orders: busy 96 %, held back 0 %; source : orders: busy 4 %, held back 93 %"
    assert job_pressure(stack, 3.0, OLTP) == f"{told}; committer : orders: busy 10 %, held back 1 %"
    assert (job_pressure(stack, 3.0, SHOP), garbage(stack, 3.0)) == (None, 31.2)
    shares |= dict.fromkeys(shares, (0.0, 0.0))
    assert job_pressure(stack, 3.0, OLTP) == "none"


def test_one_kill_of_a_taskmanager_is_healthy(stack_of: Callable[[JobManager], Stack]) -> None:
    probe = all_probes(OURS)["oltp-job-failures"]
    reading = probe.look(stack_of(JobManager(oltp=[12])))
    assert (reading.value, probe.healthy and probe.healthy.holds(reading, reading)) == (1, True)


def test_the_newest_failure_is_told_by_its_innermost_exception(stack_of: Callable[[JobManager], Stack]) -> None:
    stack = stack_of(JobManager(oltp=[50, 2, 30], shop=[]))
    told = "java.lang.IllegalStateException: 2 s ago, parts of one transaction"
    assert job_exception(stack, 3.0, OLTP) == told
    # A JobManager that was restarted has forgotten what was before.
    assert (job_exception(stack, 3.0, SHOP), job_failures(stack, 3.0, SHOP)) == ("none", 0)


def test_a_trace_without_a_cause_is_its_own_root(stack_of: Callable[[JobManager], Stack]) -> None:
    manager = JobManager(oltp=[1])
    alone = {"stacktrace": f"java.io.IOException: {'no ' * 200}\n\tat A.a(A.java:1)\n", "timestamp": 5}
    manager.history = {"exceptionHistory": {"entries": [alone]}}
    told = str(job_exception(stack_of(manager), 3.0, OLTP))
    assert told.startswith("java.io.IOException: no no") and len(told) == 200


def test_without_a_job_there_is_no_number_and_another_answer_is_no_zero(
    stack_of: Callable[[JobManager], Stack],
) -> None:
    assert job_failures(stack_of(JobManager()), 3.0, OLTP) is None
    assert job_exception(stack_of(JobManager()), 3.0, OLTP) is None
    strange = JobManager(oltp=[1])
    strange.history = {"all-exceptions": []}
    assert not all_probes(OURS)["oltp-job-failures"].look(stack_of(strange)).answered


def test_a_value_that_the_types_refuse_is_told_with_its_column_while_the_job_fails_by_it(
    stack_of: Callable[[JobManager], Stack],
) -> None:
    trace = (
        "org.apache.flink.util.FlinkException: a task failed\n"
        "Caused by: java.io.IOException: oltp.order_items.line: 3000000001 is not INT\n\tat x\n"
        "Caused by: java.lang.ArithmeticException: 3000000001 is out of range\n"
    )
    manager = JobManager(oltp=[5.0], shop=[5.0])
    assert refused_value(stack_of(manager), 3.0, OLTP) == "none"
    failed = [entry(ago) | {"stacktrace": trace} for ago in (40.0, 30.0)]
    manager.history = {"exceptionHistory": {"entries": failed}}
    assert refused_value(stack_of(manager), 3.0, OLTP) == "oltp.order_items.line: 3000000001 is not INT"
    # It is over them: a checkpoint since, and no other failure.
    manager.completed = 2.0
    assert refused_value(stack_of(manager), 3.0, OLTP) == "none"


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        (
            "java.io.IOException: events of a transaction are missing, nothing of it is written: transaction 0-1-77:"
            " END counts {oltp.orders=1, oltp.order_items=2}, came {oltp.orders=1}. If the source is MariaDB >= 11,",
            "transaction 0-1-77: END counts {oltp.orders=1, oltp.order_items=2}, came {oltp.orders=1}",
        ),
        (
            "org.apache.flink.kafka.shaded.org.apache.kafka.clients.consumer.OffsetOutOfRangeException: Fetch"
            " position FetchPosition{offset=900} is out of range for partition cdc.oltp-0\n\tat org.apache.flink",
            "Fetch position FetchPosition{offset=900} is out of range for partition cdc.oltp-0",
        ),
    ],
    ids=["torn", "place gone"],
)
def test_what_the_topic_does_not_hold_is_told_while_the_job_fails_by_it(
    stack_of: Callable[[JobManager], Stack], cause: str, told: str
) -> None:
    manager = JobManager(oltp=[5.0])
    assert topic_gap(stack_of(manager), 3.0, OLTP) == "none"
    trace = f"org.apache.flink.util.FlinkException: a task failed\nCaused by: {cause}\n\tat x\n"
    manager.history = {"exceptionHistory": {"entries": [entry(30.0) | {"stacktrace": trace}]}}
    assert topic_gap(stack_of(manager), 3.0, OLTP) == told
    manager.completed = 2.0
    stack = stack_of(manager)
    assert topic_gap(stack, 3.0, OLTP) == "none"
    assert topic_gap(stack_of(JobManager()), 3.0, OLTP) is None
    # Whatever the job says: a repair that was cut off has left something to bring.
    begin_passing_over(stack, OLTP)
    assert "not brought" in str(topic_gap(stack, 3.0, OLTP))
