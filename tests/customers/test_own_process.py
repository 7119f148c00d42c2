"""Shoppers in a process of their own: they buy on while their parent computes, and end with it, however it ends."""

import contextlib
import ctypes
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeproof import errors
from lakeproof.deadline import Deadline
from lakeproof.errors import DeadlineExpired, InvalidInput, LakeproofError, PortTaken, TerminalError
from lakeproof.ledger.writer import LedgerBroken
from lakeproof.stack.stack import Stack
from lakeproof_shop.customers.ledger import read_lines
from lakeproof_shop.customers.shoppers.own_process import ShoppersProcess, start

HELD_SECONDS = 4
# In a process of its own, because the test holds up every thread of its own one.
REFUSING_SHOP = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Shop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"error": {"code": "full"}, "outcome": "not_done"}'
        self.send_response(409)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
ThreadingHTTPServer.request_queue_size = 128
server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
print(server.server_port, flush=True)
server.serve_forever()
"""
PARENT = """
import sys, time
from pathlib import Path
from lakeproof_shop.customers.shoppers.own_process import start
from lakeproof.errors import DeadlineExpired
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
shoppers = start(Stack(Settings(state_dir=Path(sys.argv[1]))), 50.0, 1, base_url=sys.argv[2])
for _ in range(10):
    try:
        shoppers.counts()
        break
    except DeadlineExpired:
        pass  # a starved machine: it is not up yet
print(shoppers.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def refusing_shop() -> Iterator[str]:
    server = subprocess.Popen([sys.executable, "-c", REFUSING_SHOP], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture
def shoppers(stack: Stack, refusing_shop: str) -> Iterator[ShoppersProcess]:
    started = start(stack, 50.0, 1, "r", refusing_shop)
    try:
        yield started
    finally:
        with contextlib.suppress(LakeproofError):  # the test has ended them
            started.stop(0.0)


def refused(shoppers: ShoppersProcess, calls: int) -> None:
    Deadline(60.0).wait_for(
        f"{calls} refused calls",
        lambda: True if shoppers.counts().refused >= calls else None,
        every=0.05,
        seen=lambda: str(shoppers.counts()),
    )


def test_they_buy_while_their_parent_computes(stack: Stack, shoppers: ShoppersProcess) -> None:
    refused(shoppers, 5)
    began = time.time()
    ctypes.PyDLL(None).usleep(HELD_SECONDS * 1_000_000)  # a PyDLL keeps the interpreter lock: no thread runs
    ended = time.time()
    times = [line.at_us / 1e6 for line in read_lines(stack.ledger_dir / "r.jsonl")]
    assert [at for at in times if began + 1 < at < ended - 1]


def test_they_stop_once_with_one_report(shoppers: ShoppersProcess) -> None:
    refused(shoppers, 5)
    report = shoppers.stop()
    assert report is shoppers.stop()
    assert (report.run, report.counts.sent) == ("r", report.counts.refused)
    assert report.refusals == {"409 full": report.counts.refused}
    assert is_gone(shoppers.pid)


def test_ctrl_c_while_they_settle_leaves_them_their_report(stack: Stack) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    with socket.create_server(("127.0.0.1", 0), backlog=1000) as silent_shop:  # the kernel takes calls, nobody reads
        waiting = start(stack, 50.0, 1, "r", f"http://127.0.0.1:{silent_shop.getsockname()[1]}")
        Deadline(60.0).wait_for("calls", lambda: True if waiting.counts().sent >= 5 else None, every=0.05)
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            with pytest.raises(KeyboardInterrupt):
                waiting.stop()
        finally:
            signal.signal(signal.SIGALRM, before)
        assert not is_gone(waiting.pid)
        assert waiting.stop().counts.sent >= 5
    assert is_gone(waiting.pid)


def test_a_killed_one_is_told_with_its_signal(shoppers: ShoppersProcess) -> None:
    refused(shoppers, 1)
    os.kill(shoppers.pid, signal.SIGKILL)
    for ask in (shoppers.counts, shoppers.stop, shoppers.counts):
        with pytest.raises(TerminalError, match="signal 9"):
            ask()


def test_one_that_hangs_is_told_and_ended(shoppers: ShoppersProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(shoppers, 1)
    os.kill(shoppers.pid, signal.SIGSTOP)
    monkeypatch.setattr("lakeproof_shop.customers.shoppers.own_process.ANSWER_SECONDS", 0.3)
    monkeypatch.setattr("lakeproof_shop.customers.shoppers.own_process.END_SECONDS", 0.3)
    with pytest.raises(DeadlineExpired, match="does not answer"):
        shoppers.counts()
    monkeypatch.setattr("lakeproof_shop.customers.shoppers.own_process.STOP_AGAIN_SECONDS", 0.3)
    with pytest.raises(DeadlineExpired):
        shoppers.stop(0.1)
    assert is_gone(shoppers.pid)


def test_they_end_with_a_killed_parent(tmp_path: Path, refusing_shop: str) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path), refusing_shop]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)
        parent.kill()
    Deadline(30.0).wait_for("the end of the shoppers", lambda: is_gone(child) or None)


def test_what_stopped_them_comes_as_it_was(stack: Stack, shoppers: ShoppersProcess, refusing_shop: str) -> None:
    refused(shoppers, 1)
    again = start(stack, 50.0, 1, "r", refusing_shop)
    with pytest.raises(InvalidInput, match="ledger"):
        Deadline(60.0).wait_for("the refusal", lambda: again.counts() and None, every=0.05)
    with pytest.raises(InvalidInput):
        again.stop()
    assert is_gone(again.pid)


def test_a_rate_that_cannot_be_starts_nothing(stack: Stack, refusing_shop: str) -> None:
    with pytest.raises(InvalidInput):
        start(stack, 0.0, 1, "r", refusing_shop)


@pytest.mark.parametrize(
    "error",
    [
        LakeproofError("a", where="b", next_action="c"),
        DeadlineExpired("a", last_seen="s", where="b"),
        PortTaken(80, "mysql", "pid 7"),
        errors.MissingArtifact("kafka"),
        LedgerBroken("full", where="r.jsonl"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_crosses_processes_whole(error: LakeproofError) -> None:
    there = pickle.loads(pickle.dumps(error))
    assert type(there) is type(error)
    assert (str(there), there.message, vars(there)) == (str(error), error.message, vars(error))


def is_gone(pid: int) -> bool:
    """No such process, or one that only waits for its parent's last look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
