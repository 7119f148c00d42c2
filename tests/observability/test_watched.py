"""`up` ends only once Prometheus knows what runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Answering

from lakeproof.errors import DeadlineExpired
from lakeproof.observability.watched import await_watched
from lakeproof.processes.rows import ProcessRow
from lakeproof.processes.states import Health, State
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def row(name: str, watched_since: float | None) -> ProcessRow:
    return ProcessRow(name, State.RUNNING, Health.HEALTHY, 1, 0, 0.0, 0, 1.0, {}, "", watched_since=watched_since)


class Prometheus:
    """Shows since when each component is watched; `told` one after another, the last one for ever."""

    def __init__(self, *told: dict[str, str]) -> None:
        self.told = list(told)

    def answers(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        now = self.told.pop(0) if len(self.told) > 1 else self.told[0]
        result = [{"metric": {"component": name}, "value": [0, since]} for name, since in now.items()]
        return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.fixture
def stack_of(tmp_path: Path, answering: Answering) -> Callable[[Prometheus], Stack]:
    def make(prometheus: Prometheus) -> Stack:
        endpoints = {"prometheus": {"http": answering(prometheus.answers)}}
        return Stack(Settings(state_dir=tmp_path, endpoints=endpoints))

    return make


def test_it_waits_until_each_is_watched_by_the_time_that_the_supervisor_names(
    stack_of: Callable[[Prometheus], Stack],
) -> None:
    first = {"prometheus": "1700000100.25", "redis": "+Inf"}
    earlier_run = {"prometheus": "1700000100.25", "redis": "1690000000"}
    now = {"prometheus": "1700000100.25", "redis": "1700000101.5"}
    prometheus = Prometheus(first, earlier_run, now)
    rows = [row("prometheus", 1700000100.25), row("redis", 1700000101.5), row("trino", None)]
    await_watched(stack_of(prometheus), rows, 10)
    assert prometheus.told == [now]


def test_what_prometheus_does_not_see_is_named(stack_of: Callable[[Prometheus], Stack]) -> None:
    prometheus = Prometheus({"prometheus": "5"})
    with pytest.raises(DeadlineExpired, match="does not watch redis yet"):
        await_watched(stack_of(prometheus), [row("prometheus", 5.0), row("redis", 6.0)], 0.5)


def test_a_stack_without_prometheus_is_not_waited_for(stack: Stack) -> None:
    await_watched(stack, [row("redis", 6.0)], 0.0)
