"""Stacks of small real processes under a real daemon, each in a folder and on ports of its own."""

import importlib.util
import itertools
import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from lakeproof.deadline import Deadline
from lakeproof.errors import PortTaken
from lakeproof.processes import ports
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.rows import ProcessRow
from lakeproof.stack.component import Component
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack

type MakeClient = Callable[..., SupervisorClient]
type Await = Callable[..., ProcessRow]


def _small_stack() -> tuple[Mapping[str, Component], tuple[str, ...]]:
    """The table and the daemon of small_stack.py, which is a script beside this file, not a package."""
    path = Path(__file__).with_name("small_stack.py")
    spec = importlib.util.spec_from_file_location("small_stack", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TABLE, module.DAEMON_ARGV


TABLE, DAEMON_ARGV = _small_stack()
# The small stack's ports lie closer together than that.
APART = 200


def _shifts() -> Iterator[int]:
    """Port shifts of this process alone, none twice in a row, below where the kernel takes ports for outgoing ones.

    Each of the processes that run the tests (pytest-xdist's gw0, gw1 …) has a share of its own, so that none takes
    what another has just looked at; nor does a test that makes two stacks before it starts one.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    of = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = list(range(12000 + APART * number, 23000, APART * of))
    random.shuffle(mine)
    return itertools.cycle(mine)


SHIFTS = _shifts()


def free_shift() -> int:
    """A port shift at which every port of the small stack is free now, the supervisor's own included."""
    for shift in itertools.islice(SHIFTS, 50):
        try:
            ports.check_free(TABLE.values(), Stack(Settings(port_shift=shift)), supervisor=True)
        except PortTaken:
            continue
        return shift
    raise AssertionError("no free ports")


def _client(name: str, folder: Path, shift: int) -> SupervisorClient:
    stack = Stack(Settings(name=name, state_dir=folder, port_shift=shift))
    return SupervisorClient(stack, TABLE, DAEMON_ARGV)


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[MakeClient]:
    """`make_client(name="small", shift=…)`: a client of a stack that does not run yet; ended after the test."""
    made: list[SupervisorClient] = []

    def make(name: str = "small", shift: int | None = None, folder: Path | None = None) -> SupervisorClient:
        client = _client(name, folder or tmp_path / name, free_shift() if shift is None else shift)
        made.append(client)
        return client

    yield make
    for client in made:
        client.down()


@pytest.fixture
def fresh(make_client: MakeClient) -> SupervisorClient:
    """A client of one stack without a daemon yet."""
    return make_client()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisorClient]:
    """One daemon for all tests that leave it alive: starting one costs half a second."""
    client = _client("shared", tmp_path_factory.mktemp("shared"), free_shift())
    yield client
    client.down()


@pytest.fixture
def client(shared: SupervisorClient) -> Iterator[SupervisorClient]:
    """A client of the shared daemon; what a test started is forgotten after it, whichever test comes next."""
    yield shared
    for row in shared.ps() if shared.running() else ():
        shared.forget(row.name)


@pytest.fixture
def await_row() -> Await:
    """`await_row(client, name, condition)`: the first row of that component for which the condition holds."""

    def wait(client: SupervisorClient, name: str, holds: Callable[[ProcessRow], bool]) -> ProcessRow:
        seen: list[ProcessRow] = []

        def look() -> ProcessRow | None:
            seen[:] = [client.row(name)]
            return seen[0] if holds(seen[0]) else None

        return Deadline(60).wait_for(f"{name} as wanted", look, every=0.05, seen=lambda: str(seen))

    return wait
