"""Rules for every tier, and the stack that the engines and drills tiers start."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack, load_stack

NUMBERS = itertools.count(1)

type RealStack = Callable[[str], AbstractContextManager[Stack]]


@pytest.fixture(scope="session")
def real_stack() -> RealStack:
    """`with real_stack(name) as stack`: one for real engines, taken down at the end, with nothing left behind.

    Port shift 3000 (which keeps every port below the range from which the kernel takes ports for outgoing
    connections) and a fresh state folder that mysql's user may enter. The environment (LAKEPROOF_NAME,
    LAKEPROOF_STATE_DIR, LAKEPROOF_PORT_SHIFT) may name another stack, for work side by side.
    """

    @contextmanager
    def make(name: str) -> Iterator[Stack]:
        os.environ.setdefault("LAKEPROOF_NAME", name)
        os.environ.setdefault("LAKEPROOF_PORT_SHIFT", "3000")
        fresh = "LAKEPROOF_STATE_DIR" not in os.environ
        if fresh:
            os.environ["LAKEPROOF_STATE_DIR"] = f"/tmp/lakeproof-{name}-{os.getpid()}-{next(NUMBERS)}"
        state_dir = Path(os.environ["LAKEPROOF_STATE_DIR"])
        state_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        made = load_stack()
        try:
            yield made
        finally:
            SupervisorClient(made).down()
            if fresh:
                del os.environ["LAKEPROOF_STATE_DIR"]
                if not os.environ.get("LAKEPROOF_KEEP_TEST_STATE"):
                    shutil.rmtree(state_dir, ignore_errors=True)

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-skips`: in the engines and drills tiers a skipped test is a failure, not an excuse."""
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


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
