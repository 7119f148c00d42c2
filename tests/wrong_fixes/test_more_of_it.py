"""More stock, a longer cache, more messages: what each asks for, says where it is refused, and takes back."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.conftest import Answering

from lakeproof.errors import TerminalError
from lakeproof.processes import handed_variable, procfs
from lakeproof.processes.environment import MESSAGE_LIMIT, TIMELINE_CACHE_TTL, service_variables
from lakeproof.stack.settings import Settings, load_settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure.wrong_fixes import RaiseMessageLimit
from lakeproof_shop.scenarios.support_timeline.wrong_fixes import LongerCache
from lakeproof_shop.scenarios.ttl_oversell import wrong_fixes

VARIABLE = "SERVICE_FULFILLMENT_SERVICE_URL"


def test_every_sku_gets_as_much_by_the_service_s_own_api(
    tmp_path: Path, answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str, object]] = []

    def answer(method: str, path: str, body: bytes) -> tuple[int, object]:
        asked.append((method, path, json.loads(body)))
        return (503, {}) if path.startswith("/stock/full") else (200, {})

    stack = Stack(Settings(state_dir=tmp_path, endpoints={"inventory-service": {"http": answering(answer)}}))
    monkeypatch.setattr(wrong_fixes, "select", lambda *_: [("sku-2",), ("sku-1",)])
    assert wrong_fixes.AddStockByHand().run(stack) == "100 units more of each of 2 SKUs are booked in"
    assert asked == [("POST", f"/stock/{sku}/receive", {"quantity": 100}) for sku in ("sku-1", "sku-2")]
    monkeypatch.setattr(wrong_fixes, "select", lambda *_: [("full",)])
    with pytest.raises(TerminalError, match=r"not booked in: answered 503\. Next: lakeproof logs inventory-service"):
        wrong_fixes.AddStockByHand().run(stack)
    away = Stack(Settings(state_dir=tmp_path, endpoints={"inventory-service": {"http": "127.0.0.1:1"}}))
    with pytest.raises(TerminalError, match=r"no answer .ConnectError.*lakeproof up inventory-service"):
        wrong_fixes.AddStockByHand().run(away)


def handed_at_its_start(name: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A service that was started with these variables. pid: None while it has no process."""
    made = SimpleNamespace(name=name, pid=1, variables=variables, restarts=0)

    def restart(name: str, variables: dict[str, str]) -> None:
        made.pid, made.variables, made.restarts = 1, variables, made.restarts + 1

    client = SimpleNamespace(
        running=lambda: True,
        ps=lambda: [made],
        row=lambda name: made,
        handed=lambda name: made.variables,
        require_ours=lambda: None,
        restart=restart,
    )
    monkeypatch.setattr(handed_variable, "SupervisorClient", lambda stack: client)
    monkeypatch.setattr(handed_variable, "our_processes", lambda *_: client)
    monkeypatch.setattr(procfs, "read_environment", lambda pid: made.variables)
    return made


@pytest.fixture
def support(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Support, which was given another address of a source."""
    return handed_at_its_start("support-service", {VARIABLE: "http://far:8001"}, monkeypatch)


def test_support_keeps_timelines_for_longer_at_the_addresses_that_it_had(
    tmp_path: Path, support: SimpleNamespace
) -> None:
    stack, step = Stack(Settings(state_dir=tmp_path)), LongerCache(seconds=900)
    assert step.typed(stack) == (
        f"lakeproof stop support-service; {VARIABLE}=http://far:8001 {TIMELINE_CACHE_TTL}=900"
        " lakeproof start support-service"
    )
    for _ in range(2):
        assert step.run(stack) == "support-service keeps a timeline for 900 s"
    assert (support.variables, support.restarts) == (
        {VARIABLE: "http://far:8001", TIMELINE_CACHE_TTL: "900"},
        1,
    )
    for _ in range(2):
        step.undo(stack)
    assert (support.variables, support.restarts) == ({VARIABLE: "http://far:8001"}, 2)


def test_support_gets_back_the_time_that_it_was_started_with(tmp_path: Path, support: SimpleNamespace) -> None:
    stack, step = Stack(Settings(state_dir=tmp_path)), LongerCache()
    own = {VARIABLE: "http://far:8001", TIMELINE_CACHE_TTL: "5"}
    support.variables = own
    for _ in range(2):
        step.run(stack)
    assert support.variables == own | {TIMELINE_CACHE_TTL: "600"}
    for _ in range(2):
        step.undo(stack)
    assert (support.variables, support.restarts) == (own, 2)
    assert list(stack.state_dir.rglob("before-*")) == []


def test_a_run_that_was_cut_off_before_the_start_is_undone(stack: Stack, support: SimpleNamespace) -> None:
    support.pid, support.variables = None, {TIMELINE_CACHE_TTL: "900"}
    LongerCache(seconds=900).undo(stack)
    assert (support.pid, support.variables) == (1, {})


def test_a_customer_gets_any_number_of_messages_by_the_redis_that_the_service_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    had = {"SERVICE_REDIS_URL": "redis://far:6379"}
    service = handed_at_its_start("notification-service", had, monkeypatch)
    stack, step = Stack(Settings(state_dir=tmp_path)), RaiseMessageLimit()
    assert step.typed(stack) == (
        f"lakeproof stop notification-service; SERVICE_REDIS_URL=redis://far:6379 {MESSAGE_LIMIT}=1000000"
        " lakeproof start notification-service"
    )
    for _ in range(2):
        assert step.run(stack) == ("notification-service lets a customer have 1000000 messages in a window")
    assert (service.variables, service.restarts) == (had | {MESSAGE_LIMIT: "1000000"}, 1)
    for _ in range(2):
        step.undo(stack)
    assert (service.variables, service.restarts) == (had, 2)
    assert list(step.stops(stack)) == ["notification-service"]


@pytest.mark.parametrize(
    ("table", "of", "variable", "given"),
    [
        ("support", {"timeline_cache_ttl_seconds": 2, "source_seconds": 4}, TIMELINE_CACHE_TTL, 900),
        ("notification", {"notification_rate_limit": 60, "attempts": 4}, MESSAGE_LIMIT, 1_000_000),
    ],
)
def test_the_variable_is_handed_on_and_wins_over_the_table_that_every_child_gets(
    monkeypatch: pytest.MonkeyPatch, table: str, of: dict[str, int], variable: str, given: int
) -> None:
    monkeypatch.setenv(f"LAKEPROOF_{table.upper()}", json.dumps(of))
    monkeypatch.setenv(variable, str(given))
    settings = getattr(load_settings(), table)
    first, second = of
    assert (getattr(settings, first), getattr(settings, second)) == (given, of[second])
    assert service_variables({variable: str(given)}) == {variable: str(given)}
