"""A fresh stack for each module of tests on real engines: started piece by piece, ended with the module, no residue.

`up("kafka", "connect")` gives a healthy closure; a component that is already up costs nothing. The environment
(LAKEPROOF_NAME, LAKEPROOF_STATE_DIR, LAKEPROOF_PORT_SHIFT) may name another stack, for work side by side.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import RealStack

from lakeproof.processes.client import SupervisorClient
from lakeproof.stack.stack import Stack

type Up = Callable[..., SupervisorClient]


@pytest.fixture(scope="module")
def stack(real_stack: RealStack, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack of the module's own.

    A module that writes into the topic itself has no exporter, which would ask for checkpoints as rows come
    (lake/job/pace.py). It says so by `PACED_BY_FLINK`: then Flink makes all of them at the wanted pace.
    """
    with pytest.MonkeyPatch.context() as environment:
        if getattr(request.module, "PACED_BY_FLINK", False):
            environment.setenv("LAKEPROOF_LAKE__IDLE_CHECKPOINT_SECONDS", "2")
        with real_stack("test") as made:
            yield made


@pytest.fixture(scope="module")
def up(stack: Stack) -> Up:
    """`up(*names)` starts the closure of the names, waits until it is healthy, gives the supervisor's client."""

    def start(*names: str) -> SupervisorClient:
        client = SupervisorClient(stack)
        client.up(names)
        return client

    return start


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A state folder that the server's own user may enter."""
    made = Path(tempfile.mkdtemp(prefix="lp-install-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)
