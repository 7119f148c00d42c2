"""What all keepers of one daemon share."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lakeproof.processes.events import Event
from lakeproof.processes.pace import Pace
from lakeproof.stack.stack import Stack


@dataclass(frozen=True)
class Context:
    """One daemon's stack, run id and threads; `emit` tells who listens."""

    stack: Stack
    run_id: str
    threads: ThreadPoolExecutor
    hook_argv: Sequence[str]
    pace: Pace
    emit: Callable[[Event], None]
