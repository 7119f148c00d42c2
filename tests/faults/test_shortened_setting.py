"""The inventory service's own setting: one restart with it, one without it, none where nothing changes."""

from types import SimpleNamespace

import pytest

from lakeproof.errors import NotReady
from lakeproof.processes import handed_variable
from lakeproof.processes.environment import RESERVATION_TTL
from lakeproof.stack.settings import load_settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.ttl_oversell import faults, repairs

SERVICE = "inventory-service"


class Service:
    """The inventory service: the variables that it runs with, and how often it was restarted."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.restarts = 0
        self.pid: int | None = 7
        self.rows = [SERVICE]

    def hand(self, stack: Stack, name: str, variable: str, value: str | None) -> None:
        assert (name, variable) == (SERVICE, RESERVATION_TTL)
        self.restarts += 1
        self.pid = 7
        self.variables = {} if value is None else {variable: value}

    def seconds(self, stack: Stack, timeout: float) -> float:
        return float(self.variables.get(RESERVATION_TTL, "900"))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    supervisor = SimpleNamespace(
        running=lambda: True,
        ps=lambda: [SimpleNamespace(name=name, pid=made.pid) for name in made.rows],
        row=lambda name: SimpleNamespace(name=name, pid=made.pid),
        handed=lambda name: made.variables,
    )
    for module in (handed_variable, repairs):
        monkeypatch.setattr(module, "hand_variable", made.hand)
        monkeypatch.setattr(module, "handed_variables", lambda stack, name: made.variables)
        monkeypatch.setattr(module, "our_processes", lambda stack, what: supervisor)
    for module in (faults, repairs):
        monkeypatch.setattr(module, "setting", made.seconds)
    monkeypatch.setattr(handed_variable, "SupervisorClient", lambda stack: supervisor)
    return made


def test_the_service_gets_the_setting_once_and_tells_it(stack: Stack, service: Service) -> None:
    assert not faults.ShortenedSetting().sign(stack).holds
    for _ in range(2):
        faults.ShortenedSetting().inject(stack)
    assert service.restarts == 1
    assert faults.ShortenedSetting().sign(stack).holds


def test_the_repair_takes_it_away_and_restarts_nothing_where_it_is_not_there(stack: Stack, service: Service) -> None:
    faults.ShortenedSetting().inject(stack)
    assert "was 30 s, is 900 s" in repairs.RestoreSetting().run(stack)
    assert "is 900 s, as the stack's settings say" in repairs.RestoreSetting().run(stack)
    faults.ShortenedSetting().remove(stack)
    assert service.restarts == 2


@pytest.mark.parametrize("repaired", [False, True])
@pytest.mark.parametrize("own", ["1200", "30"])
def test_a_service_gets_back_what_it_was_started_with_whatever_a_repair_has_set(
    stack: Stack, service: Service, own: str, repaired: bool
) -> None:
    service.variables = {RESERVATION_TTL: own}
    for _ in range(2):
        faults.ShortenedSetting().inject(stack)
    assert faults.ShortenedSetting().sign(stack).holds
    if repaired:
        repairs.RestoreSetting().run(stack)
        assert service.variables == {}
    faults.ShortenedSetting().remove(stack)
    assert service.variables == {RESERVATION_TTL: own}
    assert list(stack.state_dir.rglob("before-*")) == []


def test_what_it_was_started_with_is_noted_before_it_is_changed(
    stack: Stack, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.variables = {RESERVATION_TTL: "1200"}

    def cut_off(*_: object) -> None:
        service.pid, service.variables = None, {RESERVATION_TTL: "30"}
        raise NotReady("stopped, and not started", where=SERVICE)

    with monkeypatch.context() as cut:
        cut.setattr(handed_variable, "hand_variable", cut_off)
        with pytest.raises(NotReady):
            faults.ShortenedSetting().inject(stack)
    faults.ShortenedSetting().remove(stack)
    assert (service.pid, service.variables) == (7, {RESERVATION_TTL: "1200"})


def test_where_the_fault_was_never_made_another_setting_stays(stack: Stack, service: Service) -> None:
    service.variables = {RESERVATION_TTL: "1200"}
    faults.ShortenedSetting().remove(stack)
    assert (service.restarts, service.variables) == (0, {RESERVATION_TTL: "1200"})


def test_a_service_without_a_process_is_started_right_and_one_that_was_never_wanted_is_left_alone(
    stack: Stack, service: Service
) -> None:
    service.pid = None
    faults.ShortenedSetting().remove(stack)
    assert service.restarts == 1
    service.rows = []
    faults.ShortenedSetting().remove(stack)
    assert service.restarts == 1


def test_a_repair_that_was_cut_off_before_the_start_is_finished_by_the_next(stack: Stack, service: Service) -> None:
    service.pid = None
    assert "is 900 s" in repairs.RestoreSetting().run(stack)
    assert service.restarts == 1


def test_the_variable_alone_wins_over_the_table_that_every_child_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    table = '{"reservation_ttl_seconds": 900, "reservation_ttl_floor_seconds": 300}'
    monkeypatch.setenv("LAKEPROOF_INVENTORY", table)
    monkeypatch.setenv(RESERVATION_TTL, "30")
    settings = load_settings().inventory
    assert (settings.reservation_ttl_seconds, settings.reservation_ttl_floor_seconds) == (30.0, 300.0)
