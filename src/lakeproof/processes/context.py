"""What all keepers of one daemon share."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lakeproof.processes.events import Event
from lakeproof.processes.pace import Pace
from lakeproof.stack.stack import Stack

if TYPE_CHECKING:
    from lakeproof.processes.keeper import Keeper


@dataclass
class Context:
    """One daemon's stack, run id, threads and table of keepers; `emit` tells who listens."""

    stack: Stack
    run_id: str
    threads: ThreadPoolExecutor
    hook_argv: Sequence[str]
    pace: Pace
    emit: Callable[[Event], None]
    keepers: Mapping[str, "Keeper"] = field(default_factory=dict)
