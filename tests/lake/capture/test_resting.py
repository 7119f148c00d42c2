"""PostgreSQL's connector while shop-capture does not run, against a Connect in a few lines."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Answering

from lakeproof.lake.capture import registration, resting
from lakeproof.lake.sources.source import SHOP, want
from lakeproof.processes.environment import RUN_ID
from lakeproof.processes.runtime import Runtime
from lakeproof.provisioning.connect import provision
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


class Worker:
    """Connect with one connector in a state."""

    def __init__(self, state: str | None) -> None:
        self.state = state

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if self.state is None:
            return 404, {"message": "none"}
        if method == "PUT":
            self.state = {"stop": "STOPPED", "resume": "RUNNING"}[path.rpartition("/")[2]]
        return 200, {"connector": {"state": self.state}}


@pytest.fixture
def make_stack(tmp_path: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch) -> Callable[[Worker], Stack]:
    """`make_stack(worker)`: a running stack with that Connect, in which MariaDB's connectors are registered."""
    monkeypatch.setattr(registration, "provision", lambda stack, source: None)

    def make(worker: Worker) -> Stack:
        stack = Stack(Settings(state_dir=tmp_path, endpoints={"connect": {"http": answering(worker.answer)}}))
        monkeypatch.setenv(RUN_ID, Runtime(stack).new_run_id())
        return stack

    return make


@pytest.mark.parametrize(
    "before, after",
    [("RUNNING", "STOPPED"), ("UNASSIGNED", "STOPPED"), ("FAILED", "STOPPED"), ("PAUSED", "PAUSED"), (None, None)],
)
def test_connect_starts_with_it_at_rest_where_shop_capture_is_not_wanted(
    before: str | None, after: str | None, make_stack: Callable[[Worker], Stack]
) -> None:
    worker = Worker(before)
    provision(make_stack(worker))
    assert worker.state == after


def test_connect_that_is_started_again_leaves_it_alone_while_shop_capture_runs(
    make_stack: Callable[[Worker], Stack],
) -> None:
    worker = Worker("UNASSIGNED")
    stack = make_stack(worker)
    want(stack, "shop-capture", wanted=True)
    provision(stack)
    assert worker.state == "UNASSIGNED"


def test_what_was_stopped_here_goes_on_once_and_what_somebody_else_stopped_does_not(
    make_stack: Callable[[Worker], Stack],
) -> None:
    worker = Worker("RUNNING")
    stack = make_stack(worker)
    resting.stop(stack, SHOP)
    resting.resume(stack, SHOP)
    assert worker.state == "RUNNING"
    worker.state = "STOPPED"
    resting.stop(stack, SHOP)
    resting.resume(stack, SHOP)
    assert worker.state == "STOPPED"
