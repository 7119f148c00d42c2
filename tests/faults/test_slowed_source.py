"""The slow road: every answer comes late and whole, and the fault finds its own proxies again."""

import os
import signal
import stat
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import NotReady
from lakeproof.faults import roads
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.scenarios.support_timeline import faults
from lakeproof_shop.scenarios.support_timeline.faults import SlowedSource

LATE_SECONDS = 1.7
BODY = b"x" * 300_000


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """Its fulfillment service is a server of the test's own; its support service does not run."""

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"
    made = Stack(Settings(state_dir=tmp_path, endpoints={"fulfillment-service": {"http": address}}))
    given: dict[str, str] = {}

    def hand(stack: Stack, name: str, variable: str, url: str | None) -> None:
        given.pop(variable, None)
        if url is not None:
            given[variable] = url

    monkeypatch.setattr(faults, "hand_variable", hand)
    monkeypatch.setattr(faults, "handed_variables", lambda stack, name: given)
    supervisor = SimpleNamespace(running=lambda: True, row=lambda name: SimpleNamespace(pid=os.getpid()))
    for module in (faults, roads):
        monkeypatch.setattr(module, "SupervisorClient", lambda stack: supervisor)
    try:
        yield made
    finally:
        faults.SlowedSource().remove(made)
        server.shutdown()
        server.server_close()


def handed(stack: Stack) -> dict[str, str]:
    found: dict[str, str] = vars(faults)["handed_variables"](stack, "support-service")
    return found


def await_roads(stack: Stack, count: int) -> dict[int, str]:
    deadline = Deadline(5)
    while len(found := faults._roads(stack, SlowedSource())) != count and not deadline.expired:
        time.sleep(0.02)
    return found


def test_answers_come_late_and_whole_and_each_only_once_as_late(stack: Stack) -> None:
    arguments = SlowedSource(seconds=LATE_SECONDS)
    arguments.inject(stack)
    (url,) = faults._roads(stack, arguments).values()
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
        for _ in range(2):  # over one connection
            started = time.monotonic()
            assert client.get("/fulfillments").content == BODY
            assert LATE_SECONDS <= time.monotonic() - started < 2 * LATE_SECONDS
    with httpx.Client(trust_env=False, verify=False) as near:
        direct = time.monotonic()
        near.get(stack.url("fulfillment-service"))
        assert time.monotonic() - direct < LATE_SECONDS


def test_it_is_safe_to_repeat_and_leaves_nothing(stack: Stack) -> None:
    arguments = SlowedSource(seconds=LATE_SECONDS)
    for _ in range(2):
        arguments.inject(stack)
    assert len(faults._roads(stack, arguments)) == 1
    assert faults._roads(stack, SlowedSource(source="order")) == {}
    for _ in range(2):
        arguments.remove(stack)
    assert await_roads(stack, 0) == {}
    assert handed(stack) == {}


def test_a_proxy_that_died_is_replaced_and_support_gets_the_new_one(stack: Stack) -> None:
    arguments = SlowedSource(seconds=LATE_SECONDS)
    arguments.inject(stack)
    ((pid, old),) = faults._roads(stack, arguments).items()
    os.kill(pid, signal.SIGKILL)
    await_roads(stack, 0)
    arguments.inject(stack)
    (new,) = faults._roads(stack, arguments).values()
    given = handed(stack)
    assert list(given.values()) == [new] != [old]


def test_the_address_of_a_proxy_that_died_is_taken_back(stack: Stack) -> None:
    arguments = SlowedSource(seconds=LATE_SECONDS)
    arguments.inject(stack)
    (pid,) = faults._roads(stack, arguments)
    os.kill(pid, signal.SIGKILL)
    await_roads(stack, 0)
    assert len(handed(stack)) == 1
    arguments.remove(stack)
    assert handed(stack) == {}


def test_the_fault_stays_on_record_while_support_has_no_process(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = SlowedSource(seconds=LATE_SECONDS)
    arguments.inject(stack)
    away = SimpleNamespace(running=lambda: True, row=lambda name: SimpleNamespace(pid=None))
    words = "lakeproof up support-service, then lakeproof fault remove slowed_source"
    with monkeypatch.context() as now, pytest.raises(NotReady, match=words):
        now.setattr(faults, "SupervisorClient", lambda stack: away)
        arguments.remove(stack)
    assert len(faults._roads(stack, arguments)) == 1


def test_the_fault_is_in_where_support_says_so(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for late, holds in (("fulfillment-service", True), ("none", False), ("order-service", False)):
        monkeypatch.setattr(faults, "late_sources", lambda stack, timeout, late=late: late)
        assert faults.SlowedSource().sign(stack).holds is holds


@pytest.mark.parametrize("repaired", [False, True])
def test_an_address_that_was_set_on_purpose_comes_back_with_the_end_of_the_fault(
    stack: Stack, repaired: bool
) -> None:
    arguments, variable = SlowedSource(seconds=LATE_SECONDS), "SERVICE_FULFILLMENT_SERVICE_URL"
    handed(stack)[variable] = "http://far:8004"
    for _ in range(2):
        arguments.inject(stack)
    note = faults._note(stack, arguments, "before")
    assert stat.S_IMODE(note.stat().st_mode) == 0o600, "an address may carry a password"
    assert handed(stack)[variable] in faults._roads(stack, arguments).values()
    if repaired:  # a repair cannot know it
        del handed(stack)[variable]
    for _ in range(2):
        arguments.remove(stack)
    assert handed(stack) == {variable: "http://far:8004"}
