"""Components that a drill itself stops and starts again, by a step or a check: on record as stopped meanwhile.

They are down on purpose, so nobody starts them and no alert tells of them where a drill that stops several is killed
before it starts them, or the start of one is refused (its port is taken).
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from lakeproof.arguments import Arguments
from lakeproof.faults import records
from lakeproof.faults.stopped_process import FAULT as STOPPED
from lakeproof.mitigations.mitigation import Mitigation
from lakeproof.mitigations.restart_component import MITIGATION as RESTART
from lakeproof.stack.stack import Stack
from lakeproof.wrong_fixes.wrong_step import WrongStep


def on_record(stack: Stack, components: Iterable[str], *, by: str) -> AbstractContextManager[None]:
    """While they are stopped and started again. What belongs to somebody else is not stopped, and not on record."""
    args = [{"component": name} for name in components]
    if not args or stack.settings.mode == "external":
        return nullcontext()
    return records.announced(stack, STOPPED, args, by=by)


def on_record_by_step(steps: Mapping[str, Mitigation], *, by: str) -> dict[str, Mitigation]:
    """The same steps; each has what it stops on record while it runs."""
    return {name: replace(step, run=partial(_run, step, by)) for name, step in steps.items()}


def _run(step: Mitigation, by: str, stack: Stack, arguments: Any) -> str:
    with on_record(stack, _stopped_by(step, stack, arguments), by=by):
        return step.run(stack, arguments)


def _stopped_by(step: Mitigation, stack: Stack, arguments: Arguments) -> Iterable[str]:
    if step.id == RESTART.id:
        return [arguments.model_dump()["component"]]
    return step.stops(stack) if isinstance(step, WrongStep) else ()
