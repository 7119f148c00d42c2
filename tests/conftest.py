"""Rules for every tier, and the stack that the engines and drills tiers start."""

import itertools
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.commit import commits_so_far
from tests.drills_real.scenarios import chosen_scenarios
from tests.engines.turns import is_left_out

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack, load_stack

NUMBERS = itertools.count(1)
NAMES = ("LAKEPROOF_NAME", "LAKEPROOF_STATE_DIR", "LAKEPROOF_PORT_SHIFT")

type RealStack = Callable[[str], AbstractContextManager[Stack]]
# method, path, body → status, and the answer's body: bytes as they are, else as JSON
type Answers = Callable[[str, str, bytes], tuple[int, object]]
type Answering = Callable[[Answers], str]


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """One that does not run."""
    return Stack(Settings(state_dir=tmp_path))


@pytest.fixture(scope="session")
def real_stack() -> RealStack:
    """`with real_stack(name) as stack`: one for real engines, taken down at the end, with nothing left behind.

    Port shift 3000 (which keeps every port below the range from which the kernel takes ports for outgoing
    connections) and a fresh state folder that mysql's user may enter. The environment (LAKEPROOF_NAME,
    LAKEPROOF_STATE_DIR, LAKEPROOF_PORT_SHIFT) may name another stack, for work side by side; within the `with` it
    names this one. One within another is a stack of its own; the outer one is taken down first, for they want the
    same ports, and its tests start it again.
    """
    opened: list[Stack] = []
    given: dict[str, str] = {}

    @contextmanager
    def make(name: str) -> Iterator[Stack]:
        if opened:
            SupervisorClient(opened[-1]).down()
        else:  # within another, the environment holds the outer one's, which nobody gave
            given.clear()
            given.update({each: os.environ[each] for each in NAMES if each in os.environ})
        folder = f"/tmp/lakeproof-{name}-{os.getpid()}-{next(NUMBERS)}"
        own = dict(zip(NAMES, (name, folder, "3000"), strict=True)) | given
        state_dir = Path(own["LAKEPROOF_STATE_DIR"])
        with pytest.MonkeyPatch.context() as environment:
            for variable, value in own.items():
                environment.setenv(variable, value)
            state_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
            made = load_stack()
            opened.append(made)
            try:
                yield made
            finally:
                opened.remove(made)
                SupervisorClient(made).down()
                if "LAKEPROOF_STATE_DIR" not in given and not os.environ.get("LAKEPROOF_KEEP_TEST_STATE"):
                    shutil.rmtree(state_dir, ignore_errors=True)

    return make


class Server(ThreadingHTTPServer):
    """A diagnosis asks all at once: of more than the usual five places in the queue the rest waits a second."""

    daemon_threads = True
    request_queue_size = 128


@contextmanager
def serving(answers: Answers) -> Iterator[str]:
    """A small HTTP server that answers so, within the `with`; gives its host:port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # so that botocore's "Expect: 100-continue" is answered, not waited out

        def do_GET(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = answers(self.command, self.path, asked)
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            with suppress(ConnectionError):  # who asked may have given up by now
                self.end_headers()
                self.wfile.write(body)

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None: ...

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def answering() -> Iterator[Answering]:
    """`answering(answers)` starts a small HTTP server that answers so, and gives its host:port."""
    with ExitStack() as servers:
        yield lambda answers: servers.enter_context(serving(answers))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: in the engines and drills tiers a skipped test is a failure, not an excuse.
    `--by-turns`: of the shop's tests on engines, the drills and the make targets, those whose turn it is at this
    commit (tests/engines/turns.py, tests/drills_real/scenarios.py).
    """
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")
    parser.addoption(
        "--by-turns", action="store_true", help="of the shop's engine tests and of the drills, this commit's turn"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--by-turns` leaves out the tests whose turn it is not, and says which."""
    if not config.getoption("--by-turns"):
        return
    number = commits_so_far()
    drilled = chosen_scenarios(number)

    def waits(item: pytest.Item) -> str:
        """What of this item is not tested at this commit; "" where it is."""
        turn = item.get_closest_marker("turn")
        if turn is not None:
            return "" if turn.args[0] in drilled else str(turn.args[0])
        in_engines = item.path.parent.name == "engines"
        return item.path.stem if in_engines and is_left_out(item.path.stem, number) else ""

    waiting = {item: why for item in items if (why := waits(item))}
    config.hook.pytest_deselected(items=list(waiting))
    items[:] = [item for item in items if item not in waiting]
    if waiting and (reporter := config.pluginmanager.get_plugin("terminalreporter")) is not None:
        reporter.write_line(f"by turns, not at this commit: {', '.join(sorted(set(waiting.values())))}")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config
) -> None:
    """Names the skipped tests that fail the run."""
    if config.getoption("--no-skips"):
        for report in terminalreporter.stats.get("skipped", []):
            terminalreporter.write_line(f"FAILED (skipped in a tier without skips): {report.nodeid}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turns skips into a failed run under `--no-skips`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
