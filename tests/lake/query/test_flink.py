"""What Flink's gateway says, or does not say, as a statement's answer or as its error."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.lake.query.answer import EngineUnreachable
from lakeproof.lake.query.flink import PinnedFlink, flink_session
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

NUMBER = {"name": "n", "logicalType": {"type": "BIGINT"}}
PAGE = {"resultType": "PAYLOAD", "results": {"columns": [NUMBER], "data": [{"fields": [3]}]}}

type Answer = Callable[[httpx.Request], httpx.Response]


class Gateway:
    """Answers each statement with one row, except where `at` ("METHOD path's last part") it does something else."""

    def __init__(self, at: str = "", does: Answer | None = None) -> None:
        self._at, self._does, self.asked = at, does, list[str]()
        self.patience: dict[str, float] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = f"{request.method} {request.url.path.rpartition('/')[2]}"
        self.asked.append(asked)
        self.patience[asked] = request.extensions["timeout"]["read"]
        if asked == self._at and self._does is not None:
            return self._does(request)
        if asked == "POST statements":
            return httpx.Response(200, json={"operationHandle": "1"})
        return httpx.Response(200, json=PAGE if asked == "GET 0" else {"sessionHandle": "7"})

    def session(self) -> PinnedFlink:
        return PinnedFlink(httpx.Client(transport=httpx.MockTransport(self), base_url="http://gateway:8083"), "7")


def says_nothing(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("timed out", request=request)


def refuses(request: httpx.Request) -> httpx.Response:
    return httpx.Response(500, json={"errors": ["Internal server error."]}, request=request)


def gives_a_field_too_many(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text=json.dumps(PAGE).replace("[3]", "[3, 4]"))


def test_an_answer_is_its_columns_and_rows() -> None:
    gateway = Gateway()
    answer = gateway.session().run("SELECT 3 AS n", Deadline(10))
    assert ([column.name for column in answer.columns], answer.rows) == (["n"], ([3],))
    assert gateway.asked == ["POST statements", "GET 0"]


@pytest.mark.parametrize("at", ["POST statements", "GET 0"])
def test_a_page_that_is_late_is_no_answer_of_the_engine(at: str) -> None:
    """httpx's own error once left the statement, and the whole check with it."""
    with pytest.raises(EngineUnreachable, match=r"flink at http://gateway:8083: no answer \(ReadTimeout\)"):
        Gateway(at, says_nothing).session().run("SELECT 3 AS n", Deadline(10))


def test_a_page_that_nobody_can_read_is_no_answer_of_the_engine() -> None:
    with pytest.raises(EngineUnreachable, match=r"no answer \(ValueError\)"):
        Gateway("GET 0", gives_a_field_too_many).session().run("SELECT 3 AS n", Deadline(10))


@pytest.mark.parametrize("does", [says_nothing, gives_a_field_too_many])
def test_a_statement_that_is_given_up_is_cancelled_for_the_next_one_needs_its_slot(does: Answer) -> None:
    gateway = Gateway("GET 0", does)
    with pytest.raises(EngineUnreachable):
        gateway.session().run("SELECT 3 AS n", Deadline(10))
    assert gateway.asked == ["POST statements", "GET 0", "POST cancel"]


def test_past_its_deadline_a_statement_is_cancelled_though_the_gateway_does_not_say_so() -> None:
    gateway = Gateway("POST cancel", says_nothing)
    with pytest.raises(EngineUnreachable, match="within 0 s; it was cancelled"):
        gateway.session().run("SELECT 3 AS n", Deadline(0))
    assert gateway.asked == ["POST statements", "POST cancel"]


@pytest.fixture
def stack_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Gateway], Stack]:
    """A stack whose gateway is that one."""

    def stack_with(gateway: Gateway) -> Stack:
        client = partial(httpx.Client, transport=httpx.MockTransport(gateway))
        monkeypatch.setattr("lakeproof.lake.query.flink.httpx.Client", client)
        return Stack(Settings(state_dir=tmp_path, endpoints={"flink-sql-gateway": {"http": "gateway:8083"}}))

    return stack_with


def test_a_session_that_cannot_be_opened_is_no_answer(stack_with: Callable[[Gateway], Stack]) -> None:
    stack = stack_with(Gateway("POST sessions", says_nothing))
    with pytest.raises(EngineUnreachable, match="ReadTimeout"), flink_session(stack, {}):
        pass


def test_a_session_that_cannot_be_closed_does_not_cost_what_was_answered(
    stack_with: Callable[[Gateway], Stack],
) -> None:
    """It is closed at a check's end: its error once took the place of the report."""
    gateway = Gateway("DELETE 7", says_nothing)
    with flink_session(stack_with(gateway), {}) as session:
        assert session.run("SELECT 3 AS n", Deadline(10)).rows == ([3],)
    assert gateway.asked[-1] == "DELETE 7"


@pytest.mark.parametrize(
    ("does", "told"), [(says_nothing, "ReadTimeout"), (refuses, "answered 500 to DELETE /v1/sessions/7")]
)
def test_a_session_that_must_be_closed_and_is_not_fails(
    stack_with: Callable[[Gateway], Stack], does: Answer, told: str
) -> None:
    """Who writes to the lake lets nobody else do so before that."""
    stack = stack_with(Gateway("DELETE 7", does))
    with pytest.raises(EngineUnreachable, match=told), flink_session(stack, {}, must_be_closed=True):
        pass


def test_what_goes_wrong_beside_a_session_keeps_its_own_name(stack_with: Callable[[Gateway], Stack]) -> None:
    """A check holds its session open while it asks others: their silence was once called the gateway's."""
    gateway = Gateway()
    with pytest.raises(httpx.ReadTimeout), flink_session(stack_with(gateway), {}, must_be_closed=True):
        raise httpx.ReadTimeout("of another server")
    assert gateway.asked[-1] == "DELETE 7"


def test_an_answer_is_waited_for_longer_than_a_closing(stack_with: Callable[[Gateway], Stack]) -> None:
    """On a slow machine one answer was not there after 15 s, and the check unknown."""
    gateway = Gateway()
    with flink_session(stack_with(gateway), {}) as session:
        session.run("SELECT 3 AS n", Deadline(10))
    assert gateway.patience == {"POST sessions": 30.0, "POST statements": 30.0, "GET 0": 30.0, "DELETE 7": 15.0}
