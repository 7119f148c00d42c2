"""Questions to components, the lake's job and the publisher, over a server that answers what the test sets."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.conftest import Answering
from tests.doubles.plugins import OURS

from lakeproof.errors import CouldNotLook, InvalidInput, NotReady
from lakeproof.lake.sources.source import OLTP
from lakeproof.probes import flink, mariadb, publisher
from lakeproof.probes.components import answers_probe, ready_probe
from lakeproof.probes.http import ANSWERS, REFUSED
from lakeproof.probes.probe import Probe, all_probes
from lakeproof.stack.component import Command, Component
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

type Answer = dict[str, tuple[int, Any]]


@pytest.fixture
def answer() -> Answer:
    """Path → (status, JSON)."""
    return {}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answering: Answering, answer: Answer) -> Stack:
    """JobManager, publisher and trino are one little server; nobody is where nessie should be."""
    here = {"http": answering(lambda _method, path, _body: answer.get(path, (404, {})))}
    monkeypatch.chdir(tmp_path)
    endpoints = {"flink-jobmanager": here, "publisher": here, "trino": here, "nessie": {"http": "127.0.0.1:9"}}
    return Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints))


def job(state: str, *, jid: str = "j1", name: str = "lake-oltp", start: float = 1000.0) -> dict[str, Any]:
    return {"jid": jid, "name": name, "state": state, "start-time": int(start * 1000)}


@pytest.mark.parametrize(
    ("jobs", "state"),
    [
        ([job("RUNNING")], "running"),
        ([job("CREATED")], "restarting"),
        ([job("RESTARTING")], "restarting"),
        ([job("FAILED")], "ended"),
        ([job("FAILED", jid="j0", start=1), job("RUNNING", start=2)], "running"),
        # The clock was set back before it was submitted anew.
        ([job("CANCELED", jid="j0", start=3600), job("RUNNING", start=2)], "running"),
        ([job("FAILED", jid="j0", start=3600), job("FINISHED", start=2)], "ended"),
        ([job("RUNNING", name="another")], None),
        ([], None),
    ],
)
def test_the_newest_job_of_the_lake_tells_its_state(
    stack: Stack, answer: Answer, jobs: list[dict[str, Any]], state: str | None
) -> None:
    answer["/jobs/overview"] = (200, {"jobs": jobs})
    assert flink.job_state(stack, 1, OLTP) == state


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> float:
    """The probes' clock stands still at it, epoch seconds."""
    at = 1_700_000_000.0
    monkeypatch.setattr(flink, "time", SimpleNamespace(time=lambda: at))
    return at


def test_a_checkpoint_is_as_old_as_its_newest_complete_one_beyond_the_pause(
    stack: Stack, answer: Answer, now: float
) -> None:
    answer["/jobs/overview"] = (200, {"jobs": [job("RUNNING", start=now - 500)]})
    answer["/jobs/j1/checkpoints"] = (
        200,
        {"counts": {"failed": 3}, "latest": {"completed": {"latest_ack_timestamp": int((now - 100) * 1000)}}},
    )
    assert flink.checkpoint_age(stack, 1, OLTP) == 100 - stack.settings.lake.idle_checkpoint_seconds
    assert flink.checkpoints_failed(stack, 1, OLTP) == 3
    answer["/jobs/j1/checkpoints"] = (200, {"counts": {"failed": 0}, "latest": {"completed": None}})
    assert flink.checkpoint_age(stack, 1, OLTP) == 500 - stack.settings.lake.idle_checkpoint_seconds


def test_a_job_that_was_restored_a_moment_ago_is_not_behind(stack: Stack, answer: Answer, now: float) -> None:
    answer["/jobs/overview"] = (200, {"jobs": [job("RUNNING", start=now - 500)]})
    restored = {"restore_timestamp": int((now - 10) * 1000)}
    answer["/jobs/j1/checkpoints"] = (
        200,
        {"counts": {"failed": 0}, "latest": {"completed": None, "restored": restored}},
    )
    assert flink.checkpoint_age(stack, 1, OLTP) == 10 - stack.settings.lake.idle_checkpoint_seconds


def test_a_jobs_history_has_its_newest_failure_restore_and_checkpoint(stack: Stack, answer: Answer) -> None:
    """Of Flink 1.20's answers, what is read."""
    answer["/jobs/overview"] = (200, {"jobs": [job("RUNNING", start=1000)]})
    answer["/jobs/j1/checkpoints"] = (
        200,
        {
            "counts": {"restored": 1, "total": 9, "in_progress": 0, "completed": 8, "failed": 1},
            "latest": {
                "completed": {"id": 71, "status": "COMPLETED", "latest_ack_timestamp": 1_060_000},
                "restored": {
                    "id": 62,
                    "restore_timestamp": 1_030_000,
                    "is_savepoint": False,
                    "external_path": "s3://x",
                },
            },
        },
    )
    entries = [
        {"timestamp": 1_010_000, "stacktrace": "java.lang.Exception: older"},
        {"timestamp": 1_020_000, "stacktrace": "java.lang.Exception: outer\nCaused by: java.io.IOException: newer\n"},
    ]
    answer["/jobs/j1/exceptions"] = (200, {"exceptionHistory": {"entries": entries, "truncated": False}})
    assert flink.job_history(stack, 1, OLTP) == flink.JobHistory(
        "j1", "running", 1_000_000, 1_020_000, "java.io.IOException: newer", 1_030_000, 1_060_000, 71
    )
    answer["/jobs/j1/checkpoints"] = (200, {"latest": {"completed": None, "restored": None}})
    answer["/jobs/j1/exceptions"] = (200, {"exceptionHistory": {"entries": []}})
    assert flink.job_history(stack, 1, OLTP) == flink.JobHistory("j1", "running", 1_000_000, 0, "none", 0, 0, 0)
    answer["/jobs/overview"] = (200, {"jobs": []})
    assert flink.job_history(stack, 1, OLTP) is None


def test_restarts_are_flinks_own_count(stack: Stack, answer: Answer) -> None:
    answer["/jobs/overview"] = (200, {"jobs": [job("RUNNING")]})
    answer["/jobs/j1/metrics?get=numRestarts"] = (200, [{"id": "numRestarts", "value": "4"}])
    assert flink.job_restarts(stack, 1, OLTP) == 4


def test_the_publisher_says_that_it_is_stuck_by_503(stack: Stack, answer: Answer) -> None:
    answer["/health"] = (503, {"status": "stuck"})
    assert publisher.publisher_status(stack, 1, OLTP) == "stuck"
    answer["/health"] = (200, ["something else"])
    with pytest.raises(CouldNotLook):
        publisher.publisher_status(stack, 1, OLTP)


def test_any_status_shows_a_living_process_and_a_closed_port_a_dead_one(stack: Stack, answer: Answer) -> None:
    known = all_components()
    assert answers_probe(known["trino"], "http").look(stack, 1).value == ANSWERS
    assert answers_probe(known["nessie"], "http").look(stack, 1).value == REFUSED


def kettle(error: Exception | None) -> Component:
    def ready(stack: Stack, timeout: float) -> None:
        """It boils."""
        if error is not None:
            raise error

    return Component("kettle", "engine", lambda stack: Command(("kettle",)), ready, {"http": 1})


@pytest.mark.parametrize(
    ("error", "value", "answered"),
    [
        (None, "yes", True),
        (NotReady("answered 503", where="kettle"), "answered 503", True),
        (KeyError("data"), "answered something else: KeyError: 'data'", True),
        (InvalidInput("no such secret", where="s3-access-key"), None, False),
    ],
)
def test_the_health_question_gives_words_and_what_we_lack_is_no_answer(
    stack: Stack, error: Exception | None, value: str | None, answered: bool
) -> None:
    reading = ready_probe(kettle(error)).look(stack, 1)
    assert (reading.value, reading.answered) == (value, answered)


def test_rubbish_is_no_answer_and_never_an_error_of_the_diagnosis(stack: Stack) -> None:
    def ask(stack: Stack, timeout: float) -> None:
        raise KeyError("logEntries")

    reading = Probe("x", "x", "look", "", ask).look(stack, 1)
    assert not reading.answered and "logEntries" in str(reading.error)


def test_every_component_that_up_starts_is_asked_whether_it_answers() -> None:
    asked = {probe.source for probe in all_probes(OURS).values() if probe.liveness and probe.always}
    assert asked == {name for name, one in all_components().items() if not one.on_demand}


def test_too_many_connections_is_an_answer_and_no_hang() -> None:
    import pymysql

    assert mariadb._kind(pymysql.err.OperationalError(1040, "Too many connections")) == "error 1040"
    assert mariadb._kind(pymysql.err.OperationalError(2013, "Lost connection")) == "silent"
    assert mariadb._kind(pymysql.err.OperationalError(2003, "[Errno 111] Connection refused")) == "refused"
