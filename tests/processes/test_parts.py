"""Which components are part of a stack: those ever wanted, those with an endpoint, or all that `up` starts."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from lakeproof.errors import CouldNotLook
from lakeproof.lake.query.spark import is_up
from lakeproof.processes import procfs
from lakeproof.processes.client import SupervisorClient
from lakeproof.processes.lock import Holder
from lakeproof.processes.parts import parts_of, usual_parts
from lakeproof.processes.runtime import Runtime
from lakeproof.stack.components import all_components
from lakeproof.stack.settings import Settings
from lakeproof.stack.stack import Stack
from lakeproof_shop.proof import projected
from lakeproof_shop.proof.claims import looking

WATCHED = {name: one for name, one in all_components().items() if not one.on_demand}
USUAL = {name for name, one in WATCHED.items() if one.in_plain_up}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.chdir(tmp_path)
    return Stack(Settings(state_dir=tmp_path))


@contextmanager
def supervisor_that_hangs(stack: Stack, *, listens: bool = True) -> Iterator[None]:
    """Its process lives and holds the lock. It takes connections (or does not even do that) and never answers."""
    runtime = Runtime(stack)
    runtime.make()
    me = procfs.identify(os.getpid())
    assert me is not None
    holder = Holder(os.getpid(), me.start_ticks, runtime.new_run_id(), str(stack.state_dir))
    runtime.lock.write_text(json.dumps(asdict(holder)))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        if listens:
            server.bind(str(runtime.socket))
            server.listen(8)
        try:
            yield
        finally:
            runtime.remove()


def test_without_a_supervisor_the_parts_are_what_up_starts(stack: Stack) -> None:
    assert parts_of(stack).names == usual_parts() == frozenset(USUAL)
    assert parts_of(stack).absent == WATCHED.keys() - USUAL


def test_what_was_never_wanted_is_no_part_and_what_was_stopped_by_hand_still_is(client: SupervisorClient) -> None:
    client.up(["polite"])
    assert client.stop("polite")
    names = parts_of(client.stack).names
    assert names is not None
    assert "polite" in names
    assert not names & USUAL


@pytest.mark.parametrize("listens", [True, False])
def test_of_a_supervisor_that_hangs_nobody_can_tell_and_that_is_known_soon(stack: Stack, listens: bool) -> None:
    with supervisor_that_hangs(stack, listens=listens):
        began = time.monotonic()
        parts = parts_of(stack, seconds=0.2)
        assert time.monotonic() - began < 2
    assert parts.names is None
    assert "supervisor" in parts.unknown
    with pytest.raises(CouldNotLook, match="could not tell which components"):
        parts.known()


def test_a_supervisor_that_hangs_hides_nothing_from_a_diagnosis(stack: Stack) -> None:
    with supervisor_that_hangs(stack):
        assert parts_of(stack, seconds=0.2).absent == WATCHED.keys() - USUAL


def test_whoever_judges_data_says_that_it_could_not_tell(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_of, "__defaults__", (0.2,))
    with supervisor_that_hangs(stack):
        assert "could not tell which components" in looking.look(stack).unknown[0]
        with pytest.raises(CouldNotLook, match="could not tell which components"):
            projected.look(stack, 1.0, lambda text: None)
        with pytest.raises(CouldNotLook, match="could not tell which components"):
            is_up(stack)


def test_of_somebody_elses_stack_only_what_has_an_endpoint_is_part(tmp_path: Path) -> None:
    endpoints = {"connect": {"http": "127.0.0.1:9"}}
    stack = Stack(Settings(mode="external", state_dir=tmp_path, endpoints=endpoints))
    assert parts_of(stack).names == frozenset({"connect"})
    assert parts_of(stack).absent == WATCHED.keys() - {"connect"}
