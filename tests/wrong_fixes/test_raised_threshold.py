"""A raised threshold ends the alert and nothing else; the undo brings back what the scenarios' rules say."""

import re
from pathlib import Path

import pytest
from tests.conftest import Answering

from lakeproof.errors import InvalidInput, TerminalError
from lakeproof.observability import alertmanager, prometheus
from lakeproof.observability.drill_windows import borrow
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.kafka_backlog import wrong_fixes
from lakeproof_shop.scenarios.kafka_backlog.wrong_fixes import RaiseThreshold

GIVEN = RaiseThreshold()
OF_KAFKA = "kafka-backlog.yml"


class Prometheus:
    """Takes a reload, or refuses it. states: what it tells of the alert's rule, one look after the other."""

    def __init__(self) -> None:
        self.status, self.reloads, self.looks = 200, 0, 0
        self.states = [("ok", "firing")]

    def answers(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        if path == "/-/reload":
            self.reloads += 1
            return self.status, b"said so"
        health, state = self.states[0]
        if len(self.states) > 1:
            self.looks += 1
            self.states.pop(0)
        rule = {"name": GIVEN.alert, "type": "alerting", "health": health, "state": state}
        return 200, {"status": "success", "data": {"groups": [{"rules": [rule]}]}}


@pytest.fixture
def server() -> Prometheus:
    return Prometheus()


@pytest.fixture
def stack(tmp_path: Path, server: Prometheus, answering: Answering) -> Stack:
    """One whose Prometheus runs in a drill's windows."""
    endpoints = {name: {"http": answering(server.answers)} for name in ("prometheus", "alertmanager", "desk")}
    made = Stack(Settings(state_dir=tmp_path / "state", endpoints=endpoints))
    prometheus.write_config(made, "drill")
    alertmanager.write_config(made, "drill")
    borrow(made, "drill")
    return made


def limits(stack: Stack) -> list[str]:
    return re.findall(r"> (\d+)$", prometheus.files_now(stack).rules[OF_KAFKA], re.MULTILINE)


def test_every_rule_of_the_alert_has_the_new_limit_and_nothing_else_is_changed(
    stack: Stack, server: Prometheus
) -> None:
    before = prometheus.files_now(stack)
    assert limits(stack) == ["5000", "5000"]
    assert GIVEN.run(stack) == ("KafkaConsumerLagHigh fires above 1000000 from now on, not above 5000")
    assert limits(stack) == ["1000000", "1000000"] and server.reloads == 1
    now = prometheus.files_now(stack)
    assert now.config == before.config
    assert {name for name, text in now.rules.items() if text != before.rules[name]} == {OF_KAFKA}
    assert now.rules[OF_KAFKA].replace("> 1000000", "> 5000") == before.rules[OF_KAFKA]
    GIVEN.run(stack)  # a repeat
    assert prometheus.files_now(stack) == now


def test_the_undo_brings_back_the_rules_in_the_timing_of_now_and_is_safe_to_repeat(
    stack: Stack, server: Prometheus
) -> None:
    before = prometheus.files_now(stack)
    GIVEN.run(stack)
    for _ in range(2):
        GIVEN.undo(stack)
    assert prometheus.files_now(stack) == before
    assert server.reloads == 2


def test_the_undo_waits_until_the_alert_says_again_what_goes_on(stack: Stack, server: Prometheus) -> None:
    """Else it would fire a moment after the drill has seen that none does."""
    GIVEN.run(stack)
    server.states = [("unknown", "inactive"), *2 * [("ok", "pending")], ("ok", "firing")]
    GIVEN.undo(stack)
    assert server.looks == 3


def test_an_alert_that_has_nothing_to_say_is_not_waited_for(stack: Stack, server: Prometheus) -> None:
    GIVEN.run(stack)
    server.states = [("ok", "inactive")]
    GIVEN.undo(stack)


def test_an_alert_that_stays_pending_does_not_hold_up_the_end_of_a_drill(
    stack: Stack, server: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    GIVEN.run(stack)
    monkeypatch.setattr(wrong_fixes, "SPEAKS_AGAIN_SECONDS", 0.1)
    server.states = [("ok", "pending")]
    GIVEN.undo(stack)


def test_rules_that_prometheus_refuses_are_as_they_were(stack: Stack, server: Prometheus) -> None:
    before, server.status = prometheus.files_now(stack), 500
    with pytest.raises(TerminalError, match="said so"):
        GIVEN.run(stack)
    assert prometheus.files_now(stack) == before


def test_an_unknown_alert_and_somebody_else_s_prometheus_are_refused(stack: Stack, server: Prometheus) -> None:
    with pytest.raises(InvalidInput, match="no rule of that name compares with a number"):
        wrong_fixes.RaiseThreshold(alert="KafkaConsumerLag").run(stack)
    external = Stack(stack.settings.model_copy(update={"mode": "external"}))
    with pytest.raises(InvalidInput, match="somebody else's Prometheus"):
        GIVEN.run(external)
    assert server.reloads == 0
