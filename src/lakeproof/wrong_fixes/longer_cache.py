"""A wrong fix: let support keep timelines for longer. One that lacks a source is never kept, so the source is asked,
and waited for, as before.
"""

from collections.abc import Sequence

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.probes.support import SERVICE
from lakeproof.processes.environment import TIMELINE_CACHE_TTL
from lakeproof.processes.handed_variable import (
    hand_variable,
    handed_variables,
    last_handed,
    start_by_hand,
    take_back_variable,
)
from lakeproof.processes.ours import our_processes
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


class LongerCache(Arguments):
    """`seconds`: timeline_cache_ttl_seconds of the support service alone."""

    seconds: int = Field(600, ge=1, le=86_400)


def typed(stack: Stack, arguments: LongerCache) -> str:
    """The same by hand; `start` hands on what this shell has set."""
    start = start_by_hand(SERVICE, last_handed(stack, SERVICE) | {TIMELINE_CACHE_TTL: str(arguments.seconds)})
    return f"lakeproof stop {SERVICE}; {start}"


def stops(stack: Stack) -> Sequence[str]:
    """Support is restarted."""
    return [SERVICE]


def run(stack: Stack, arguments: LongerCache) -> str:
    """Restart support with it, and return once it is healthy; fine where it has it. Raises: LakeproofError."""
    our_processes(stack, f"restart {SERVICE}")
    if handed_variables(stack, SERVICE).get(TIMELINE_CACHE_TTL) != str(arguments.seconds):
        hand_variable(stack, SERVICE, TIMELINE_CACHE_TTL, str(arguments.seconds))
    return f"{SERVICE} keeps a timeline for {arguments.seconds} s"


def undo(stack: Stack, arguments: LongerCache) -> None:
    """Restart it with the stack's own setting; fine where it has that."""
    take_back_variable(stack, SERVICE, TIMELINE_CACHE_TTL)


WRONG_STEP = WrongStep(
    "longer_cache", "let support keep timelines for longer (mends nothing)", typed, run, LongerCache, undo, stops
)
