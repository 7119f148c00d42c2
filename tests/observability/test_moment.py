from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.conftest import Answering

from lakeproof.errors import CouldNotLook
from lakeproof.observability.moment import Looker, jobs_of
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANSWERS: dict[str, Any] = {
    "/api/v1/query": {
        "data": {
            "resultType": "vector",
            "result": [
                {"metric": {"connector": "other"}, "value": [0, "1"]},
                {"metric": {"connector": "orders"}, "value": [0, "45000"]},
            ],
        }
    },
    "/jobs/overview": {
        "jobs": [
            {"jid": "new", "name": "lake-oltp", "state": "RESTARTING", "start-time": 2},
            {"jid": "old", "name": "lake-oltp", "state": "CANCELED", "start-time": 1},
            {"jid": "other", "name": "lake-shop", "state": "RUNNING", "start-time": 3},
        ]
    },
    "/jobs/new/checkpoints": {"latest": {"completed": {"id": 77, "latest_ack_timestamp": 1_795_521_600_000}}},
    "/jobs/other/checkpoints": {"latest": {"completed": None}},
}


class Servers:
    """Prometheus and the JobManager in one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = dict(ANSWERS)
        self.address = ""

    def answer(self, _method: str, path: str, _body: bytes) -> tuple[int, object]:
        self.asked.append(path)
        where = urlsplit(path).path
        return (200, self.answers[where]) if where in self.answers else (404, {})


@pytest.fixture
def server(answering: Answering) -> Servers:
    made = Servers()
    made.address = answering(made.answer)
    return made


def stack_at(server: Servers, *more: str) -> Stack:
    """Somebody else's stack, in which `more` is there too."""
    endpoints = {name: {"http": server.address} for name in ("prometheus", "flink-jobmanager", *more)}
    nowhere = {"nessie": {"http": "127.0.0.1:9"}}
    return Stack(Settings.model_validate({"mode": "external", "endpoints": endpoints | nowhere}))


@pytest.fixture
def looker(server: Servers) -> Looker:
    return Looker(stack_at(server))


def test_the_violating_series_is_the_one_whose_labels_the_alert_carries(looker: Looker, server: Servers) -> None:
    found = looker.look("lag > 3", [{"connector": "orders", "severity": "high"}, {"connector": "other"}], AT)
    assert (found["violation"].value, found["violation"].at) == (45000.0, AT)
    assert parse_qs(urlsplit(server.asked[0]).query)["time"] == [f"{AT.timestamp():.3f}"]


def test_no_other_series_stands_in_for_the_one_that_the_alert_tells_of(looker: Looker) -> None:
    found = looker.look("lag > 3", [{"connector": "third"}], AT)["violation"]
    assert (found.value, found.error) == (
        None,
        "LookupError: no series with the alert's labels violated it at that time",
    )


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ({"job_name": "lake-oltp"}, "lake-oltp 77"),
        ({"database": "oltp"}, "lake-oltp 77"),
        ({"connector": "orders"}, "lake-oltp 77"),
        ({"job_name": "lake-shop"}, "lake-shop none"),
        ({"connector": "shop", "table": "orders"}, "lake-shop none"),
        ({"database": "strange"}, "lake-oltp 77, lake-shop none"),
        ({}, "lake-oltp 77, lake-shop none"),
    ],
)
def test_the_checkpoint_is_that_of_the_jobs_that_the_alert_is_about(
    server: Servers, labels: dict[str, str], says: str
) -> None:
    looker = Looker(stack_at(server, "shop-capture"))
    assert looker.look("", [labels], AT)["checkpoint"].value == says


def test_alerts_of_two_captures_are_about_the_jobs_of_both(server: Servers) -> None:
    looker = Looker(stack_at(server, "shop-capture"))
    alerts = [{"connector": "shop"}, {"connector": "orders"}, {"database": "shop"}]
    assert looker.look("", alerts, AT)["checkpoint"].value == "lake-shop none, lake-oltp 77"


def test_a_database_that_is_not_captured_has_no_checkpoint_to_wait_for(server: Servers) -> None:
    assert jobs_of(stack_at(server), {}) == ("lake-oltp",)


def test_of_a_job_that_is_not_known_there_is_no_checkpoint(looker: Looker, server: Servers) -> None:
    found = looker.completed_checkpoints(("lake-oltp", "lake-shop", "gone"))
    assert found == {"lake-oltp": (77, AT), "lake-shop": None, "gone": None}
    server.answers["/jobs/overview"] = {}
    with pytest.raises(CouldNotLook, match="jobs"):
        looker.completed_checkpoints(("lake-oltp",))


def test_what_does_not_answer_is_a_reading_with_its_reason(looker: Looker) -> None:
    published = looker.look("", [], AT)["published"]
    assert (published.value, published.answered) == (None, False)


def test_a_refused_question_is_told_by_its_status_and_path(looker: Looker, server: Servers) -> None:
    del server.answers["/jobs/new/checkpoints"]
    assert looker.look("", [], AT)["checkpoint"].error == "HTTP 404: /jobs/new/checkpoints"


def test_in_a_storm_the_lake_is_asked_once(looker: Looker, server: Servers) -> None:
    for connector in ("orders", "orders", "other", "other"):
        looker.look("", [{"connector": connector}], AT)
    assert server.asked.count("/jobs/overview") == 1
