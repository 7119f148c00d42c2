"""One stack for all tests on real engines: started piece by piece, ended once, nothing left behind.

`up("kafka", "connect")` gives a healthy closure; a component that is already up costs nothing. The environment
(LAKEPROOF_NAME, LAKEPROOF_STATE_DIR, LAKEPROOF_PORT_SHIFT) may name another stack, for work side by side.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack, load_stack

type Up = Callable[..., SupervisorClient]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A stack of its own, in a fresh state folder that mysql's user may enter.

    Usual ports + 3000 stay below the range of outgoing connections.
    """
    os.environ.setdefault("LAKEPROOF_NAME", "test")
    os.environ.setdefault("LAKEPROOF_PORT_SHIFT", "3000")
    fresh = "LAKEPROOF_STATE_DIR" not in os.environ
    if fresh:
        os.environ["LAKEPROOF_STATE_DIR"] = f"/tmp/lakeproof-test-{os.getpid()}"
    state_dir = Path(os.environ["LAKEPROOF_STATE_DIR"])
    state_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    made = load_stack()
    yield made
    SupervisorClient(made).down()
    if fresh and not os.environ.get("LAKEPROOF_KEEP_TEST_STATE"):
        shutil.rmtree(state_dir, ignore_errors=True)


@pytest.fixture(scope="session")
def up(stack: Stack) -> Up:
    """`up(*names)` starts the closure of the names, waits until it is healthy, gives the supervisor's client."""

    def start(*names: str) -> SupervisorClient:
        client = SupervisorClient(stack)
        client.up(names)
        return client

    return start
