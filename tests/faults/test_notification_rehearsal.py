from pathlib import Path

import pytest

from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.notification_failure import rehearsal as notification_rehearsal
from lakeproof_shop.scenarios.notification_failure.rehearsal import is_same_place

HERE = ("127.0.0.1", 8006)


@pytest.mark.parametrize("url", ["http://localhost:8006", "http://127.0.0.1:8006/", "localhost:8006"])
def test_a_name_of_this_machine_is_this_machine(url: str) -> None:
    assert is_same_place(url, HERE)


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8007", "http://127.0.0.2:8006", "http://10.0.0.5:8006", "http://localhost", "nowhere.invalid"],
)
def test_another_port_or_host_is_another_place(url: str) -> None:
    assert not is_same_place(url, HERE)


class Running:
    def __init__(self, stack: Stack) -> None: ...

    def running(self) -> bool:
        return True


def test_our_own_redis_is_stopped_whatever_the_service_is_called(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification_rehearsal, "SupervisorClient", Running)
    port = stack.port("notification-service")
    assert notification_rehearsal._is_ours(stack, f"http://localhost:{port}")
    assert not notification_rehearsal._is_ours(stack, f"http://localhost:{port + 1}")


def test_somebody_elses_redis_is_not_stopped_though_it_runs_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notification_rehearsal, "SupervisorClient", Running)
    stack = Stack(Settings(mode="external", state_dir=tmp_path))
    assert not notification_rehearsal._is_ours(stack, f"http://localhost:{stack.port('notification-service')}")
