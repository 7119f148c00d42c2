"""Redis as a component, without running it."""

import stat
from pathlib import Path

import pytest

from lakeproof.errors import NotReady
from lakeproof.stack.engines import redis, redis_exporter
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack


def make_stack(state_dir: Path, port_shift: int = 0) -> Stack:
    return Stack(Settings(name="t", state_dir=state_dir, port_shift=port_shift))


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """One whose files stay the test's own, whoever runs it."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda name, path=None: f"/usr/bin/{name}")
    return make_stack(tmp_path)


def test_the_password_is_in_a_file_of_the_servers_user_alone(stack: Stack) -> None:
    redis.prepare(stack)
    conf = stack.etc_dir("redis") / "redis.conf"
    assert f"requirepass {stack.secret('redis')}\n" in conf.read_text()
    assert stat.S_IMODE(conf.stat().st_mode) == 0o600


def test_the_password_is_in_no_argument(stack: Stack) -> None:
    for command in (redis.command(stack), redis_exporter.command(stack)):
        assert stack.secret("redis") not in " ".join(command.argv)


def test_it_listens_on_loopback_and_its_memory_is_bounded(stack: Stack) -> None:
    lines = redis.redis_conf(stack).splitlines()
    for line in ("bind 127.0.0.1", "maxmemory 64mb", "maxmemory-policy volatile-lru", "appendonly yes"):
        assert line in lines


def test_a_server_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="ConnectionError"):
        redis.ready(make_stack(tmp_path, port_shift=45_000), 1.0)
