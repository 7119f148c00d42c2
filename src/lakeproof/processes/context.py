"""What all keepers of one daemon share."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lakeproof.processes.events import Event
from lakeproof.processes.pace import Pace
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Context:
    """hook_argv: the command that runs a hook, before COMPONENT and HOOK. emit: passes an event to all listeners."""

    stack: Stack
    run_id: str
    threads: ThreadPoolExecutor
    hook_argv: Sequence[str]
    pace: Pace
    emit: Callable[[Event], None]
