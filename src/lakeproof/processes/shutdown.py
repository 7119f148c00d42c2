"""Stops a whole stack: first every goodbye (before_stop), then the components in reverse order of need."""

import asyncio
from collections.abc import Mapping

from lakeproof.processes.keeper import Keeper
from lakeproof.processes.states import State


def dependants(name: str, keepers: Mapping[str, Keeper]) -> list[str]:
    """Running components that need `name` to start or to be provisioned."""
    return [
        other
        for other, keeper in keepers.items()
        if keeper.state != State.STOPPED
        and name in (*keeper.component.needs, *keeper.component.provision_needs)
        and other != name
    ]


async def stop_all(keepers: Mapping[str, Keeper]) -> list[str]:
    """Stop every component. Gives the names in the order in which they ended.

    All goodbyes (before_stop) come first, while everything still runs: a job that stops with a savepoint needs its
    workers and its store.
    """
    running = {name: keeper for name, keeper in keepers.items() if keeper.state != State.STOPPED}
    await asyncio.gather(*(keeper.freeze() for keeper in running.values()))
    await asyncio.gather(*(keeper.say_goodbye() for keeper in running.values() if keeper.owes_goodbye))
    ended = {name: asyncio.Event() for name in running}
    order: list[str] = []

    async def stop(name: str) -> None:
        for other in dependants(name, running):
            await ended[other].wait()
        try:
            if await running[name].stop(goodbye=False):
                order.append(name)
        finally:
            ended[name].set()

    await asyncio.gather(*(stop(name) for name in running))
    return order
