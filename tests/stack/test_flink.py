"""Which TaskManager counts as registered, over a JobManager that knows those which the test names."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import pytest

from lakeproof.errors import NotReady
from lakeproof.stack.engines import flink
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

RESOURCE_ID = Path("data", "flink-taskmanager", "resource-id")


class Handler(BaseHTTPRequestHandler):
    known: tuple[str, ...] = ()

    def do_GET(self) -> None:
        body = json.dumps({"taskmanagers": [{"id": each} for each in self.known]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    """JobManager and TaskManager's metrics in one."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def stack_at(address: str, state_dir: Path, mode: Literal["local", "external"]) -> Stack:
    endpoints = {"flink-jobmanager": {"http": address}, "flink-taskmanager": {"jmx": address}}
    return Stack(Settings(mode=mode, state_dir=state_dir, endpoints=endpoints))


def test_only_the_task_manager_that_was_started_last_counts(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = stack_at(address, tmp_path, "local")
    monkeypatch.setattr(Handler, "known", ("killed",))
    flink.prepare_taskmanager(stack)
    with pytest.raises(NotReady, match="not registered"):
        flink.taskmanager_ready(stack, 5)
    monkeypatch.setattr(Handler, "known", ("killed", (tmp_path / RESOURCE_ID).read_text()))
    flink.taskmanager_ready(stack, 5)


def test_of_somebody_elses_any_task_manager_counts_whatever_was_once_started_here(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = stack_at(address, tmp_path, "external")
    (tmp_path / RESOURCE_ID).parent.mkdir(parents=True)
    (tmp_path / RESOURCE_ID).write_text("started-here-once")
    monkeypatch.setattr(Handler, "known", ("theirs",))
    flink.taskmanager_ready(stack, 5)
    monkeypatch.setattr(Handler, "known", ())
    with pytest.raises(NotReady, match="not registered"):
        flink.taskmanager_ready(stack, 5)


def test_a_task_managers_name_is_new_for_each_start_and_whole(tmp_path: Path) -> None:
    stack = Stack(Settings(state_dir=tmp_path))
    names = set()
    for _ in range(2):
        flink.prepare_taskmanager(stack)
        names.add((tmp_path / RESOURCE_ID).read_text())
        assert [path.name for path in (tmp_path / RESOURCE_ID).parent.glob("resource-id*")] == ["resource-id"]
    assert len(names) == 2 and all(len(name) == 32 for name in names)
