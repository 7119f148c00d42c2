"""Kafka as a component, without running it: its configuration, and the question that tells whether it is well."""

import base64
import socket
import struct
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from lakeproof.errors import NotReady, TerminalError
from lakeproof.stack import provisioned
from lakeproof.stack.engines import kafka, kafka_jvm
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

type Answer = Callable[[bytes], bytes]
type Serve = Callable[[Answer], Stack]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(answer)` gives a stack whose Kafka is a socket that answers one request so."""
    servers: list[socket.socket] = []

    def start(answer: Answer) -> Stack:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def work() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(answer(connection.recv(100)))

        threading.Thread(target=work, daemon=True).start()
        port = server.getsockname()[1]
        return Stack(Settings(name="t", state_dir=tmp_path, endpoints={"kafka": {"tcp": f"127.0.0.1:{port}"}}))

    yield start
    for server in servers:
        server.close()


def good(request: bytes) -> bytes:
    size, key, version, correlation, _ = struct.unpack(">ihhih", request)
    assert (size, key, version) == (len(request) - 4, 18, 0)
    return struct.pack(">iihi", 10, correlation, 0, 0)


def test_a_broker_that_answers_api_versions_is_ready(serve: Serve) -> None:
    kafka.ready(serve(good), 2.0)


def test_a_broker_that_answers_with_an_error_is_not_ready(serve: Serve) -> None:
    with pytest.raises(NotReady, match="error 35"):
        kafka.ready(serve(lambda request: struct.pack(">iihi", 10, 7, 35, 0)), 2.0)


def test_a_broker_that_closes_in_the_middle_is_not_ready(serve: Serve) -> None:
    with pytest.raises(NotReady, match="middle"):
        kafka.ready(serve(lambda request: b"\0\0"), 2.0)


def test_a_broker_that_only_accepts_is_not_ready_in_time(tmp_path: Path) -> None:
    # As under SIGSTOP: the kernel accepts the connection, nobody answers.
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        stack = Stack(Settings(name="t", state_dir=tmp_path, endpoints={"kafka": {"tcp": address}}))
        with pytest.raises(NotReady, match="timed out"):
            kafka.ready(stack, 0.2)


def test_every_listener_is_on_loopback_and_topics_are_not_made_by_typing_mistakes(tmp_path: Path) -> None:
    text = kafka.server_properties(Stack(Settings(name="t", state_dir=tmp_path, port_shift=7)), tmp_path)
    properties = dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:9099,CONTROLLER://127.0.0.1:19100"
    assert properties["auto.create.topics.enable"] == "false"


@pytest.mark.parametrize("component", ["kafka", "connect"])
def test_metrics_are_an_include_list_never_everything(component: str, tmp_path: Path) -> None:
    stack = Stack(Settings(name="t", state_dir=tmp_path))
    kafka_jvm.write_agent_and_logs(stack, component, {"a.b": "warn"})
    rules = yaml.safe_load((stack.etc_dir(component) / "jmx.yml").read_text())
    assert rules["includeObjectNames"]
    assert all(rule["pattern"] != ".*" for rule in rules["rules"])
    assert "logger.l0.name = a.b" in (stack.etc_dir(component) / "log4j2.properties").read_text()


def test_a_cluster_id_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter((uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=bytes(16))))
    assert base64.urlsafe_b64encode(b"\xf8" + bytes(15)).startswith(b"-")
    monkeypatch.setattr("uuid.uuid4", lambda: next(ids))
    assert kafka.new_cluster_id() == "A" * 22


def test_a_new_cluster_has_no_connector_of_which_rows_are_unread(
    tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def format_it(*given: object, **more: object) -> "subprocess.CompletedProcess[str]":
        (stack.data_dir("kafka") / "log.new").mkdir()
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr("subprocess.run", format_it)
    monkeypatch.setattr("lakeproof.install.java.find_java_17", lambda: Path("java"))
    monkeypatch.setattr("lakeproof.install.artifacts.path", lambda name: tmp_path)
    provisioned.remember(stack, "connect", "unread rows of shop", "support.coupons")
    kafka.prepare(stack)
    assert provisioned.recall(stack, "connect", "unread rows of shop") == ""


def test_a_format_that_hangs_says_so(tmp_path: Path, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*given: object, **more: object) -> None:
        assert more["timeout"] == 120
        raise subprocess.TimeoutExpired("java", 120)

    monkeypatch.setattr("subprocess.run", hang)
    monkeypatch.setattr("lakeproof.install.java.find_java_17", lambda: Path("java"))
    monkeypatch.setattr("lakeproof.install.artifacts.path", lambda name: tmp_path)
    with pytest.raises(TerminalError, match=r"StorageTool: no end after 120 s"):
        kafka.prepare(stack)
