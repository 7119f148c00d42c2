"""A fresh stack for each module of tests on real engines: started piece by piece, ended with the module, no residue.

`up("kafka", "connect")` gives a healthy closure; a component that is already up costs nothing. The environment
(LAKEPROOF_NAME, LAKEPROOF_STATE_DIR, LAKEPROOF_PORT_SHIFT) may name another stack, for work side by side.
"""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack, load_stack

NUMBERS = itertools.count(1)

type Up = Callable[..., SupervisorClient]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack of its own, in a fresh state folder that mysql's user may enter.

    Usual ports + 3000 stay below the range of outgoing connections.
    """
    os.environ.setdefault("LAKEPROOF_NAME", "test")
    os.environ.setdefault("LAKEPROOF_PORT_SHIFT", "3000")
    fresh = "LAKEPROOF_STATE_DIR" not in os.environ
    if fresh:
        os.environ["LAKEPROOF_STATE_DIR"] = f"/tmp/lakeproof-test-{os.getpid()}-{next(NUMBERS)}"
    state_dir = Path(os.environ["LAKEPROOF_STATE_DIR"])
    state_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    made = load_stack()
    yield made
    SupervisorClient(made).down()
    if fresh:
        del os.environ["LAKEPROOF_STATE_DIR"]
        if not os.environ.get("LAKEPROOF_KEEP_TEST_STATE"):
            shutil.rmtree(state_dir, ignore_errors=True)


@pytest.fixture(scope="module")
def up(stack: Stack) -> Up:
    """`up(*names)` starts the closure of the names, waits until it is healthy, gives the supervisor's client."""

    def start(*names: str) -> SupervisorClient:
        client = SupervisorClient(stack)
        client.up(names)
        return client

    return start
