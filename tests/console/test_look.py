from pathlib import Path

from lakeproof.console.look import Looking
from lakeproof.processes.states import Health
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def test_of_somebody_elses_servers_one_that_is_silent_is_told_from_one_that_cannot_be_asked(tmp_path: Path) -> None:
    endpoints = {
        "connect": {"http": "127.0.0.1:9"},
        "redis": {"tcp": "127.0.0.1:9"},
        "spark": {"http": "127.0.0.1:9"},
    }
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints))
    seen = Looking(stack).look().parts
    assert {name: one.health for name, one in seen.items()} == {
        "connect": Health.UNHEALTHY,
        "redis": Health.UNKNOWN,  # its password is missing
        "spark": Health.UNKNOWN,
    }
    assert "no such secret" in seen["redis"].reason
