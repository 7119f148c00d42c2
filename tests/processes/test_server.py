"""The daemon's answers to requests, without its socket."""

import asyncio
import os
import signal

import pytest

from lakeproof.errors import TerminalError
from lakeproof.processes.kept_stack import KeptStack
from lakeproof.processes.pace import Pace
from lakeproof.processes.server import Server
from lakeproof.processes.states import Health
from lakeproof.stack.component import Command, Component
from lakeproof.stack.stack import Stack

DEAF = """trap "" TERM; while :; do sleep 0.05; done"""


def component(name: str) -> Component:
    """It is always ready, and takes half a second to be stopped."""
    argv = ("sh", "-c", DEAF)
    return Component(name, "engine", lambda stack: Command(argv), lambda stack, timeout: None, stop_seconds=0.5)


async def test_what_waits_to_be_started_when_a_down_comes_is_not_started(stack: Stack) -> None:
    table = {name: component(name) for name in ("first", "second")}
    kept = KeptStack(stack, table, "lakeproof-test", ("false",), Pace(ready=0.01))
    try:
        await Server(kept)._up(["first"])
        stopping = asyncio.create_task(kept.keepers["first"].stop())
        up = asyncio.create_task(Server(kept)._up(["first", "second"]))
        while not kept.events:  # until it waits for the end of that stop
            await asyncio.sleep(0)
        assert await kept.stop() == ["first"]
        with pytest.raises(TerminalError, match="stopped while it was starting"):
            await up
        assert await stopping and not kept.keepers["second"].known
    finally:
        await kept.stop()


async def test_a_component_whose_process_has_ended_is_never_shown_as_healthy(stack: Stack) -> None:
    kept = KeptStack(stack, {"one": component("one")}, "lakeproof-test", ("false",), Pace())
    try:
        await Server(kept)._up(["one"])
        pid = kept.rows()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        while (row := kept.rows()[0]).pid == pid:
            await asyncio.sleep(0)  # one step of the loop at a time
        assert row.health is Health.NONE
    finally:
        await kept.stop()
