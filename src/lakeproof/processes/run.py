"""Which daemon's life it is now: what was noted in an earlier one, and never taken back, no longer holds."""

import os
from typing import TYPE_CHECKING

from lakeproof.processes.environment import RUN_ID
from lakeproof.processes.lock import read_holder
from lakeproof.processes.runtime import Runtime

if TYPE_CHECKING:
    from lakeproof.stack.stack import Stack


def current_run_id(stack: "Stack") -> str | None:
    """That of the daemon whose child asks; from outside that of the newest daemon. None where nothing was started."""
    runtime = Runtime(stack)
    given = os.environ.get(RUN_ID, "")
    if runtime.owns(given):
        return given
    holder = read_holder(runtime.lock)
    return holder.run_id if holder is not None else None
