"""The real Redis: what it took survives kill -9, a silent or full one is not ready, its password is asked."""

import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import redis as driver
from tests.conftest import RealStack
from tests.engines.conftest import Up
from tests.engines.health import await_health

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady, TerminalError
from lakeproof.probes.http import ANSWERS, REFUSED, SILENT
from lakeproof.probes.redis import redis_answers
from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.engines import redis
from lakeproof.stack.stack import Stack, load_stack

pytestmark = [pytest.mark.engines, pytest.mark.timeout(120)]


def test_what_it_took_survives_kill_9(stack: Stack, up: Up) -> None:
    client = up("redis")
    key, restarts = f"test:{uuid.uuid4().hex}", client.row("redis").restarts
    asking = redis.client(stack, 5.0)
    asking.set(key, "kept", ex=60)
    client.kill("redis")
    await_health(client, "redis", "healthy", restarts=restarts)
    assert asking.get(key) == b"kept"
    asking.close()


def test_a_stopped_server_is_seen_as_unhealthy_and_silent_and_comes_back(stack: Stack, up: Up) -> None:
    client = up("redis")
    client.kill("redis", "STOP")
    try:
        asked = Deadline(60)
        with pytest.raises(NotReady, match="TimeoutError"):
            redis.ready(stack, 1.0)
        assert redis_answers(stack, 1.0) == SILENT
        assert asked.elapsed < 5
        await_health(client, "redis", "unhealthy")
    finally:
        client.kill("redis", "CONT")
    await_health(client, "redis", "healthy")
    assert redis_answers(stack, 2.0) == ANSWERS


def test_another_password_is_refused_and_said(stack: Stack, up: Up) -> None:
    up("redis")
    other = Stack(stack.settings.model_copy(update={"secrets": {"redis": "another"}}))
    with pytest.raises(NotReady, match=r"refuses the password of secrets\.json"):
        redis.ready(other, 2.0)
    assert redis_answers(other, 2.0) == "rejected"
    host, port = stack.host_port("redis")
    with driver.Redis(host=host, port=port) as without, pytest.raises(driver.AuthenticationError):
        without.ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_it_runs_as_its_own_user_and_nobody_reads_its_password(stack: Stack, up: Up) -> None:
    pid = up("redis").row("redis").pid
    assert Path(f"/proc/{pid}").owner() == "redis"
    assert stack.secret("redis") not in Path(f"/proc/{pid}/cmdline").read_text()
    conf = stack.etc_dir("redis") / "redis.conf"
    assert (conf.owner(), oct(conf.stat().st_mode & 0o777)) == ("redis", "0o600")


def test_memory_is_bounded_and_what_has_an_end_goes_first(stack: Stack, up: Up) -> None:
    up("redis")
    with redis.client(stack, 5.0) as asking:
        for number in range(1_200):
            asking.set(f"page:{number}", os.urandom(65_536), ex=600)
        used, evicted = (asking.info()[name] for name in ("used_memory", "evicted_keys"))
        assert used <= 70 << 20
        assert evicted > 0
        asking.flushdb()


def test_a_second_start_changes_nothing_and_a_stop_refuses(stack: Stack, up: Up) -> None:
    client = up("redis")
    pid = client.row("redis").pid
    up("redis")
    assert client.row("redis").pid == pid
    client.stop("redis")
    assert redis_answers(stack, 1.0) == REFUSED
    client.start("redis")
    redis.ready(stack, 2.0)


def test_a_taken_port_is_named(stack: Stack, up: Up) -> None:
    client = up("redis")
    host, port = stack.host_port("redis")
    client.stop("redis")
    with socket.create_server((host, port)), pytest.raises(TerminalError, match=f"port {port} is taken by"):
        client.start("redis")
    client.start("redis")
    redis.ready(stack, 2.0)


def test_the_exporter_tells_of_a_silent_redis_and_stays_well(stack: Stack, up: Up) -> None:
    client = up("redis-exporter")

    def tells(value: int) -> Callable[[], bool | None]:
        def look() -> bool | None:
            page = httpx.get(f"{stack.url('redis-exporter')}/metrics", timeout=5, trust_env=False).text
            return True if f"\nredis_up {value}\n" in page else None

        return look

    Deadline(20).wait_for("redis_up 1", tells(1))
    client.kill("redis", "STOP")
    try:
        Deadline(20).wait_for("redis_up 0", tells(0))
        assert client.row("redis-exporter").health == "healthy"
    finally:
        client.kill("redis", "CONT")
    Deadline(20).wait_for("redis_up 1", tells(1))


@pytest.mark.proof  # until it was green three times in a row
def test_after_a_reset_its_data_are_gone_and_up_starts_it_empty(real_stack: RealStack) -> None:
    with real_stack("reset") as stack:
        client = SupervisorClient(stack)
        client.up(["redis"])
        asking = redis.client(stack, 5.0)
        asking.set("test:reset", "old")
        asking.close()
        password = stack.secret("redis")
        command = [str(Path(sys.executable).with_name("lakeproof")), "reset", "--yes", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert str(stack.state_dir / "data") in {entry["path"] for entry in json.loads(done.stdout)["deleted"]}
        assert not stack.state_dir.exists() and not client.running()
        anew = load_stack()
        SupervisorClient(anew).up(["redis"])
        asking = redis.client(anew, 5.0)
        assert asking.get("test:reset") is None
        asking.close()
        assert anew.secret("redis") != password
